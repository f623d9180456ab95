#include "file/file_connector.hpp"

namespace fanout::file_target {
namespace {

using connector::ConnectorError;

constexpr std::size_t kHandOverBytes = 256 * 1024;

std::string checked_path(const std::string& path) {
    if (path.empty() || path.front() != '/' || path.back() == '/')
        throw ConnectorError(FANOUT_FATAL,
                             "option \"path\" is \"" + path + "\", not the absolute path of a file",
                             "write it from the root, for example /var/lib/pg_fanout/orders.json");
    return path;
}

}  // namespace

FileConnector::FileConnector(const connector::Options& options, const fanout_host& host)
    : host_(host),
      file_(checked_path(options.text("path"))),
      encoder_(kit::read_unrepresentable(options.text("unrepresentable"))) {
    // A half line is cut off again if the rest of it does not come.
    encoder_.spill_to([this](std::string&) { hand_over_if_due(); });
}

fanout_cursor FileConnector::open(const fanout_session& session) {
    close();
    interrupted_ = false;
    encoder_.forget_tables();
    try {
        return file_.open(session);
    } catch (...) {
        close();
        throw;
    }
}

void FileConnector::write(const fanout_batch& batch) {
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const fanout_transaction& transaction = batch.transactions[t];
        for (std::size_t c = 0; c < transaction.change_count; ++c) {
            encoder_.append(lines_, transaction, transaction.changes[c]);
            hand_over_if_due();
        }
    }
}

void FileConnector::hand_over_if_due() {
    if (lines_.size() < kHandOverBytes) return;
    if (interrupted_ || host_.stopping(host_.context) != 0)
        throw ConnectorError(FANOUT_RETRY, "stopped before everything was written");
    hand_over();
}

void FileConnector::hand_over() {
    file_.append(lines_);
    lines_.clear();
}

void FileConnector::flush(const fanout_cursor& cursor) {
    hand_over();
    file_.commit(cursor);
}

void FileConnector::put_note(const std::string& name, const std::optional<std::string>& text) {
    file_.put_note(name, text);
}

connector::Notes FileConnector::read_notes() {
    return {file_.notes().begin(), file_.notes().end()};
}

void FileConnector::close() noexcept {
    lines_.clear();
    file_.close();
}

}  // namespace fanout::file_target
