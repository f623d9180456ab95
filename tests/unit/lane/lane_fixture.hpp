// A journal, a lane for subscription 7 and a scripted target.
#pragma once

#include <functional>
#include <thread>

#include "sidecar/lane/lane.hpp"
#include "tests/support/scripted_connector.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {

class LaneFixture : public JournalFixture {
  protected:
    static constexpr std::uint32_t kSubscription = 7;  // as SampleStream announces its tables

    Script script_;
    fanout_connector connector_ = scripted_connector(FANOUT_CAP_TARGET_CURSOR);
    std::atomic<std::uint64_t> epoch_{1};
    std::atomic<int> urgent_{0};
    lane::LaneSettings settings_;
    std::unique_ptr<lane::Lane> lane_;

    LaneFixture() {
        settings_.subscription = kSubscription;
        settings_.name = "copy";
        settings_.owner = "alice";
        settings_.stream_identity = sample_identity().stream_identity;
        settings_.start_lsn = 0x100;
    }
    void SetUp() override { open_and_attach(); }
    void TearDown() override { lane_.reset(); }

    void start_lane() {
        lane_ =
            std::make_unique<lane::Lane>(settings_, connector_, *journal_, epoch_,
                                         directory_.path().string(), [this](lane::LaneEvent event) {
                                             if (event != lane::LaneEvent::progress) ++urgent_;
                                         });
        lane_->start();
    }
    void stop_lane() { lane_.reset(); }

    lane::LaneSnapshot board() { return lane_->outbox().snapshot(); }

    /// Waits for it; the test fails if it does not come true.
    bool eventually(const std::function<bool()>& condition) {
        for (int i = 0; i < 12000; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
    bool reaches(lane::LaneState state) {
        return eventually([&] { return board().state == state; });
    }
    bool delivers(std::size_t transactions) {
        return eventually(
            [&] { return script_.durable().size() >= transactions && board().caught_up; });
    }
    std::vector<Lsn> commits() {
        std::vector<Lsn> all;
        for (const auto& transaction : script_.durable())
            all.push_back(transaction.commit_lsn);
        return all;
    }
    void append_transaction(Lsn lsn, int rows, bool announce = false) {
        SampleStream stream;
        stream.transaction(lsn, rows, announce);
        ASSERT_TRUE(append(stream).is_ok());
    }
};

}  // namespace fanout::testing
