// Changes as JSON lines on standard output, at least once: what was printed cannot be taken back.
//
// Runs on its lane's thread, interrupt() on any. Owns the lines not printed yet. Must never print
// a part of a line that another lane could continue: LineWriter sees to that.
#pragma once

#include <atomic>
#include <string>

#include "_kit/json_encoder.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::stdout_target {

class StdoutConnector : public connector::Connector {
  public:
    StdoutConnector(const connector::Options& options, const fanout_host& host);

    fanout_cursor open(const fanout_session& session) override;
    void write(const fanout_batch& batch) override;
    void flush(const fanout_cursor& cursor) override;
    void close() noexcept override;
    void interrupt() noexcept override;
    void test() override;

  private:
    void print();

    fanout_host host_;
    std::atomic<bool> interrupted_ = false;
    kit::JsonEncoder encoder_;
    std::string lines_;
};

}  // namespace fanout::stdout_target
