// Changes as JSON lines at the end of a file, exactly once: a flush makes the lines durable and
// then, atomically, the checkpoint that counts them; open() cuts off whatever it does not count.
//
// Runs on its lane's thread, interrupt() on any. Owns the lines not handed to the file yet.
#pragma once

#include <atomic>
#include <string>

#include "_kit/json_encoder.hpp"
#include "fanout/connector/connector.hpp"
#include "file/target_file.hpp"

namespace fanout::file_target {

class FileConnector : public connector::Connector {
  public:
    FileConnector(const connector::Options& options, const fanout_host& host);

    fanout_cursor open(const fanout_session& session) override;
    void write(const fanout_batch& batch) override;
    void flush(const fanout_cursor& cursor) override;
    void close() noexcept override;
    void interrupt() noexcept override { interrupted_ = true; }
    void test() override { file_.test(); }
    void put_note(const std::string& name, const std::optional<std::string>& text) override;
    connector::Notes read_notes() override;

  private:
    void hand_over();
    void hand_over_if_due();

    fanout_host host_;
    std::atomic<bool> interrupted_ = false;
    TargetFile file_;
    kit::JsonEncoder encoder_;
    std::string lines_;
};

}  // namespace fanout::file_target
