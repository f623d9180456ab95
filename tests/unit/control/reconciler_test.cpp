// Configurations come, lanes and streams follow. The source is not reachable: streams keep trying
// to attach while lanes deliver what an earlier attachment left in the journal.
#include "sidecar/control/reconciler.hpp"

#include <thread>

#include "sidecar/stream/stream_file.hpp"
#include "tests/support/scripted_connector.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using control::Reconciler;
using lane::LaneState;

class ReconcilerTest : public JournalFixture {
  protected:
    Script script_;
    const fanout_connector connector_ = scripted_connector(FANOUT_CAP_TARGET_CURSOR);
    host::ConnectorRegistry connectors_;
    config::Config config_;
    source::SourceConfig source_;
    std::unique_ptr<state::StateDir> state_;
    std::unique_ptr<Reconciler> reconciler_;

    void SetUp() override {
        const auto identity = sample_identity();
        const auto stream = directory_.path() / "state" / "streams" / "main";
        std::filesystem::create_directories(stream);
        ASSERT_TRUE(open(stream / "journal").is_ok());
        attach(4, 0x100);
        SampleStream records(4);
        records.transaction(0x1000, 2, true);
        ASSERT_TRUE(append(records).is_ok());
        journal_.reset();
        ASSERT_TRUE(
            stream::save_stream_file(stream.string(), {identity.stream_identity, 4}).is_ok());
        connectors_.add(&connector_);
        config_.source = "host=/no/such/directory";
        source_.system_identifier = identity.system_identifier;
        source_.database_oid = identity.database_oid;
        source_.streams = {{1, "main", "fanout_main", identity.stream_identity, 1, true}};
        source_.subscriptions = {subscription()};
        auto state = state::StateDir::open((directory_.path() / "state").string());
        ASSERT_TRUE(state.is_ok());
        state_ = std::make_unique<state::StateDir>(std::move(state.value()));
        reconciler_ = std::make_unique<Reconciler>(
            control::ReconcilerParts{config_, connectors_, *state_, "host:1", [](bool) {}});
    }
    void TearDown() override { reconciler_.reset(); }

    static source::SubscriptionDef subscription() {
        source::SubscriptionDef def;
        def.id = 7;
        def.name = "copy";
        def.owner = "alice";
        def.stream = "main";
        def.start_lsn = 0x100;
        def.target = "t";
        def.connector = "scripted";
        return def;
    }
    void apply() {
        reconciler_->apply(source_, [](const std::string&, Oid32) { return true; });
    }
    auto& entry() { return reconciler_->subscriptions().at(7); }
    bool delivered(std::size_t count) {
        for (int i = 0; i < 12000; ++i) {
            if (script_.durable().size() >= count) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
};

TEST_F(ReconcilerTest, LanesDeliverWhatTheJournalHasWithoutASource) {
    apply();
    EXPECT_TRUE(delivered(1));
    EXPECT_EQ(script_.epoch, 4u) << "the epoch of the last attachment";
}

TEST_F(ReconcilerTest, TheSameConfigurationChangesNothing) {
    apply();
    ASSERT_TRUE(delivered(1));
    const auto* lane = entry().lane.get();
    apply();
    EXPECT_EQ(entry().lane.get(), lane);
    EXPECT_EQ(script_.calls("open"), 1);
}

TEST_F(ReconcilerTest, AChangedOptionOpensTheTargetAnew) {
    apply();
    ASSERT_TRUE(delivered(1));
    source_.subscriptions[0].options["colour"] = {host::OptionValue::Kind::text, "green"};
    apply();
    for (int i = 0; i < 12000 && script_.calls("open") < 2; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(script_.options()["colour"], "green");
    EXPECT_EQ(script_.durable().size(), 1u);
}

TEST_F(ReconcilerTest, PauseStopsTheLaneAndResumeGoesOn) {
    source_.subscriptions[0].paused = true;
    apply();
    EXPECT_EQ(entry().lane, nullptr);
    EXPECT_EQ(entry().resting.state, LaneState::paused);
    source_.subscriptions[0].paused = false;
    ++source_.subscriptions[0].revision;
    apply();
    EXPECT_TRUE(delivered(1));
}

TEST_F(ReconcilerTest, AFailedLaneIsTriedAgainWhenItsRevisionRises) {
    script_.fail("open", {FANOUT_FATAL});
    apply();
    for (int i = 0; i < 12000 && entry().lane->outbox().snapshot().state != LaneState::failed; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    apply();
    EXPECT_EQ(script_.calls("open"), 1);
    ++source_.subscriptions[0].revision;
    apply();
    EXPECT_TRUE(delivered(1));
}

TEST_F(ReconcilerTest, AnUnknownConnectorFailsThatSubscriptionAndNamesTheOthers) {
    source_.subscriptions[0].connector = "telex";
    apply();
    EXPECT_EQ(entry().lane, nullptr);
    EXPECT_EQ(entry().resting.state, LaneState::failed);
    EXPECT_NE(entry().resting.last_error.find("telex"), std::string::npos);
    EXPECT_NE(entry().resting.last_error_hint.find("scripted"), std::string::npos);
}

TEST_F(ReconcilerTest, ADroppedSubscriptionTakesItsCursorFileAlong) {
    apply();
    ASSERT_TRUE(delivered(1));
    const auto file = directory_.path() / "state" / "cursors" / "7.json";
    source_.subscriptions.clear();
    apply();
    EXPECT_TRUE(reconciler_->subscriptions().empty());
    EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(ReconcilerTest, ANewSlotPutsTheOldJournalAside) {
    source_.streams[0].identity = "another-slot";
    source_.streams[0].generation = 2;
    apply();
    const auto stream = directory_.path() / "state" / "streams" / "main";
    EXPECT_TRUE(std::filesystem::exists(stream / ("journal." + sample_identity().stream_identity)));
    EXPECT_EQ(entry().lane, nullptr) << "nothing was attached under the new slot yet";
}

}  // namespace
}  // namespace fanout::testing
