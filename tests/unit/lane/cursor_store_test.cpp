// The cursor file: what comes back, what is refused, what is somebody else's.
#include "sidecar/lane/cursor_store.hpp"

#include "tests/unit/journal/journal_fixture.hpp"

namespace fanout::testing {
namespace {

using lane::CursorStore;
using lane::StoredCursor;

TEST(CursorStore, GivesBackWhatWasSaved) {
    const TemporaryDirectory directory;
    const CursorStore store(directory.path().string(), 7, "slot-a");
    EXPECT_EQ(store.load().value().cursor.end_lsn, 0u);
    const StoredCursor saved{
        0x90, {0x1000, 0x1030, 5}, 10, 9, 1, 3, 0, {}, {{16384, "public", "orders", 'd', 9}}};
    ASSERT_TRUE(store.save(saved).is_ok());
    const auto loaded = store.load();
    ASSERT_TRUE(loaded.is_ok());
    EXPECT_EQ(loaded.value().start_lsn, 0x90u);
    EXPECT_EQ(loaded.value().cursor.commit_lsn, 0x1000u);
    EXPECT_EQ(loaded.value().cursor.end_lsn, 0x1030u);
    EXPECT_EQ(loaded.value().rows_delivered, 9u);
    ASSERT_EQ(loaded.value().tables.size(), 1u);
    EXPECT_EQ(loaded.value().tables[0].name, "orders");
    EXPECT_EQ(loaded.value().tables[0].rows_delivered, 9u);
    store.remove();
    EXPECT_EQ(store.load().value().cursor.end_lsn, 0u);
}

TEST(CursorStore, ACursorOfAnotherSlotDoesNotCount) {
    const TemporaryDirectory directory;
    const CursorStore before(directory.path().string(), 7, "slot-a");
    ASSERT_TRUE(before.save({0, {0x1000, 0x1030, 5}, 0, 0, 0, 0, 0, {}, {}}).is_ok());
    const CursorStore after(directory.path().string(), 7, "slot-b");
    EXPECT_EQ(after.load().value().cursor.end_lsn, 0u);
}

TEST(CursorStore, DamageIsNamedWithTheFile) {
    const TemporaryDirectory directory;
    std::ofstream(directory.path() / "7.json") << "{\"stream_identity\":\"slot-a\"";
    const auto loaded = CursorStore(directory.path().string(), 7, "slot-a").load();
    ASSERT_FALSE(loaded.is_ok());
    EXPECT_EQ(loaded.status().kind(), StatusKind::corruption);
    EXPECT_NE(loaded.status().text().find("7.json"), std::string::npos);
}

}  // namespace
}  // namespace fanout::testing
