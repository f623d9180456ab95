#include "stdout/stdout_connector.hpp"

#include <unistd.h>

#include "stdout/line_writer.hpp"

namespace fanout::stdout_target {
namespace {

constexpr std::size_t kPrintBytes = 256 * 1024;

}  // namespace

StdoutConnector::StdoutConnector(const connector::Options& options, const fanout_host& host)
    : host_(host), encoder_(kit::read_unrepresentable(options.text("unrepresentable"))) {}

fanout_cursor StdoutConnector::open(const fanout_session&) {
    interrupted_ = false;
    encoder_.forget_tables();
    lines_.clear();
    test();
    return {};
}

void StdoutConnector::write(const fanout_batch& batch) {
    for (std::size_t t = 0; t < batch.transaction_count; ++t) {
        const fanout_transaction& transaction = batch.transactions[t];
        for (std::size_t c = 0; c < transaction.change_count; ++c) {
            encoder_.append(lines_, transaction, transaction.changes[c]);
            if (lines_.size() >= kPrintBytes) print();
        }
    }
}

void StdoutConnector::flush(const fanout_cursor&) {
    print();
}

void StdoutConnector::print() {
    const auto stop = [this] { return interrupted_.load() || host_.stopping(host_.context) != 0; };
    write_lines(STDOUT_FILENO, lines_, stop);
    lines_.clear();
}

void StdoutConnector::close() noexcept {
    lines_.clear();
}

void StdoutConnector::interrupt() noexcept {
    interrupted_ = true;
}

void StdoutConnector::test() {
    check_writable(STDOUT_FILENO);
}

}  // namespace fanout::stdout_target
