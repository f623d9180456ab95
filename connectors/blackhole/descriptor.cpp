// Takes every change and keeps none: the baseline of every measurement, and the smallest connector
// there is. Runs on its lane's thread; owns two counters.
#include <cinttypes>
#include <cstdio>

#include "fanout/connector/connector.hpp"

namespace {

using namespace fanout::connector;

class BlackholeConnector : public Connector {
  public:
    BlackholeConnector(const Options&, const fanout_host& host) : host_(host) {}

    fanout_cursor open(const fanout_session&) override { return {}; }

    void write(const fanout_batch& batch) override {
        transactions_ += batch.transaction_count;
        changes_ += batch.change_count;
    }

    void flush(const fanout_cursor&) override {}

    void close() noexcept override {
        char text[96];
        std::snprintf(text, sizeof text,
                      "dropped %" PRIu64 " changes in %" PRIu64 " transactions or parts of one",
                      changes_, transactions_);
        host_.log(host_.context, FANOUT_LOG_INFO, text);
        changes_ = transactions_ = 0;
    }

    void test() override {}

  private:
    fanout_host host_;
    std::uint64_t transactions_ = 0;
    std::uint64_t changes_ = 0;
};

constexpr Descriptor kDescriptor = {
    .name = "blackhole",
    .version = "1.0.0",
    .summary = "Drops everything and counts it: the baseline for measurements",
    .capabilities = FANOUT_CAP_MESSAGES,
};

}  // namespace

FANOUT_EXPORT_CONNECTOR(BlackholeConnector, kDescriptor)
