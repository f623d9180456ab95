// What can be wrong with the file, the checkpoint and the lock when the connector comes.
#include "file/file_connector.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "_kit/tests/connector_driver.hpp"
#include "_kit/tests/test_row.hpp"

namespace fanout::file_target {
namespace {

using kit::cursor_of;
using kit::failure_of;
using kit::session_of;

std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

void append(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::app) << text;
}

class FileTest : public testing::Test {
  protected:
    FileTest() { row_.fixed<std::int32_t>("id", kit::type_oid::kInt4, 1, kit::kPrimaryKey); }

    std::unique_ptr<FileConnector> make() const {
        return std::make_unique<FileConnector>(
            kit::make_options({{"path", path_}, {"format", "json"}, {"unrepresentable", "text"}}),
            kit::quiet_host());
    }
    /// Two flushed lines; returns what the file holds then.
    std::string fill() {
        const auto file = make();
        file->open(session_of());
        for (const std::uint64_t number : {1, 2})
            kit::write_one(*file, number, row_.insert());
        file->flush(cursor_of(2));
        file->close();
        return read(path_);
    }

    kit::TestDirectory directory_;
    std::string path_ = directory_ / "lines.json";
    kit::TestRow row_;
};

TEST_F(FileTest, refuses_somebody_elses_file_and_leaves_it_alone) {
    append(path_, "precious\n");
    const auto failure = failure_of([&] { make()->open(session_of()); });
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.message.find("somebody else's"), std::string::npos) << failure.message;
    EXPECT_NE(failure.hint, "");
    EXPECT_EQ(read(path_), "precious\n");
    EXPECT_FALSE(std::filesystem::exists(path_ + ".checkpoint"));
}

TEST_F(FileTest, takes_an_empty_file) {
    append(path_, "");
    EXPECT_EQ(fill().substr(0, 16), "{\"op\":\"insert\",\"");
}

TEST_F(FileTest, cuts_off_what_the_checkpoint_does_not_count) {
    const std::string counted = fill();
    append(path_, "half a line of a crash");
    const auto file = make();
    EXPECT_EQ(file->open(session_of()).commit_lsn, cursor_of(2).commit_lsn);
    EXPECT_EQ(read(path_), counted);
}

TEST_F(FileTest, refuses_a_file_shorter_than_its_checkpoint) {
    fill();
    std::filesystem::resize_file(path_, 10);
    const auto failure = failure_of([&] { make()->open(session_of()); });
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.message.find("shortened by someone: it has 10 bytes"), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(path_), 10U);
}

TEST_F(FileTest, refuses_a_file_that_is_gone) {
    fill();
    std::filesystem::remove(path_);
    EXPECT_EQ(failure_of([&] { make()->open(session_of()); }).outcome, FANOUT_FATAL);
}

TEST_F(FileTest, refuses_a_file_that_was_edited) {
    fill();
    std::fstream(path_, std::ios::in | std::ios::out).seekp(20) << "XX";
    const auto failure = failure_of([&] { make()->open(session_of()); });
    EXPECT_EQ(failure.outcome, FANOUT_FATAL);
    EXPECT_NE(failure.message.find("changed by someone"), std::string::npos) << failure.message;
}

TEST_F(FileTest, refuses_a_broken_checkpoint) {
    const std::string counted = fill();
    for (const char* text : {"", "{", "[]", R"({"version":1})", R"({"version":99})"}) {
        std::ofstream(path_ + ".checkpoint") << text;
        const auto failure = failure_of([&] { make()->open(session_of()); });
        EXPECT_EQ(failure.outcome, FANOUT_FATAL) << text;
        EXPECT_NE(failure.message.find("is not a checkpoint"), std::string::npos);
    }
    EXPECT_EQ(read(path_), counted);
}

TEST_F(FileTest, notices_a_file_moved_truncated_or_extended_while_it_is_open) {
    const auto change = [&](const char* name, auto&& interfere) {
        SCOPED_TRACE(name);
        const kit::TestDirectory directory;
        path_ = directory / "lines.json";
        const auto file = make();
        file->open(session_of());
        kit::write_one(*file, 1, row_.insert());
        file->flush(cursor_of(1));
        interfere();
        kit::write_one(*file, 2, row_.insert());
        const auto failure = failure_of([&] { file->flush(cursor_of(2)); });
        EXPECT_EQ(failure.outcome, FANOUT_FATAL) << failure.message;
        EXPECT_NE(failure.hint, "");
    };
    change("moved", [&] { std::filesystem::rename(path_, path_ + ".1"); });
    change("removed", [&] { std::filesystem::remove(path_); });
    change("truncated", [&] { std::filesystem::resize_file(path_, 0); });
    // Written over by our next lines, so only what sticks out shows.
    change("extended", [&] { append(path_, std::string(10'000, 'x')); });
}

TEST_F(FileTest, a_second_writer_waits_and_a_second_subscription_is_refused) {
    const auto first = make(), second = make();
    first->open(session_of());
    const auto waits = failure_of([&] { second->open(session_of()); });
    EXPECT_EQ(waits.outcome, FANOUT_RETRY) << waits.message;
    const auto refused = failure_of([&] { second->open(session_of(1, "other")); });
    EXPECT_EQ(refused.outcome, FANOUT_FATAL) << refused.message;
    EXPECT_NE(refused.message.find("belongs to subscription \"sub\""), std::string::npos);
    kit::write_one(*first, 1, row_.insert());
    first->flush(cursor_of(1));
    first->close();
    EXPECT_EQ(second->open(session_of()).commit_lsn, cursor_of(1).commit_lsn);
}

TEST_F(FileTest, a_newer_fanoutd_makes_the_older_let_go) {
    const auto older = make(), newer = make();
    older->open(session_of(5));
    EXPECT_EQ(failure_of([&] { newer->open(session_of(6)); }).outcome, FANOUT_RETRY);
    kit::write_one(*older, 1, row_.insert());
    EXPECT_EQ(failure_of([&] { older->flush(cursor_of(1)); }).outcome, FANOUT_FENCED);
    older->close();
    EXPECT_EQ(newer->open(session_of(6)).commit_lsn, 0U);
    EXPECT_EQ(read(path_), "");
}

TEST_F(FileTest, refuses_symbolic_links_directories_and_devices) {
    const std::string elsewhere = directory_ / "elsewhere";
    append(elsewhere, "");
    std::filesystem::create_symlink(elsewhere, path_);
    EXPECT_EQ(failure_of([&] { make()->open(session_of()); }).outcome, FANOUT_FATAL);
    path_ = directory_ / "folder";
    std::filesystem::create_directory(path_);
    EXPECT_EQ(failure_of([&] { make()->open(session_of()); }).outcome, FANOUT_FATAL);
    path_ = directory_ / "pipe";
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_EQ(failure_of([&] { make()->open(session_of()); }).outcome, FANOUT_FATAL);
}

TEST_F(FileTest, what_it_makes_is_not_for_everybody) {
    fill();
    for (const char* suffix : {"", ".checkpoint", ".lock"}) {
        struct stat status {};
        ASSERT_EQ(::stat((path_ + suffix).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07, 0U) << suffix;
    }
}

}  // namespace
}  // namespace fanout::file_target
