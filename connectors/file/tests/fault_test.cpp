// Every system call that changes a file fails once, or is the last one of the process. Whatever
// happens: the cursor that open() finds is the one the file's lines end with.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "_kit/tests/connector_driver.hpp"
#include "_kit/tests/test_row.hpp"
#include "file/file_connector.hpp"
#include "file/tests/faulty_system.hpp"

namespace fanout::file_target {
namespace {

using Fault = FaultySystem::Fault;
using kit::cursor_of;
using kit::session_of;

constexpr std::uint64_t kTransactions = 3;

class FaultTest : public testing::Test {
  protected:
    FaultTest() { row_.fixed<std::int32_t>("id", kit::type_oid::kInt4, 1, kit::kPrimaryKey); }
    void TearDown() override { FaultySystem::disarm(); }

    std::unique_ptr<FileConnector> make() const {
        return std::make_unique<FileConnector>(
            kit::make_options({{"path", path_}, {"format", "json"}, {"unrepresentable", "text"}}),
            kit::quiet_host());
    }
    /// From the cursor to the last transaction, each flushed.
    void run() {
        const auto file = make();
        const std::uint64_t done = file->open(session_of()).commit_lsn / 256;
        for (std::uint64_t number = done + 1; number <= kTransactions; ++number) {
            kit::write_one(*file, number, row_.insert());
            file->flush(cursor_of(number));
        }
        file->close();
    }
    /// Exactly the lines of transactions 1 to `last`, in order.
    void expect_lines(std::uint64_t last) const {
        std::ifstream file(path_);
        std::uint64_t number = 0;
        for (std::string line; std::getline(file, line);) {
            ++number;
            const std::string xid = "\"xid\":" + std::to_string(number) + ",";
            EXPECT_NE(line.find(xid), std::string::npos) << line;
            EXPECT_TRUE(line.ends_with("}")) << line;
        }
        EXPECT_EQ(number, last);
    }
    void expect_consistent_and_finish() {
        {
            const auto file = make();
            const std::uint64_t done = file->open(session_of()).commit_lsn / 256;
            expect_lines(done);
        }
        run();
        expect_lines(kTransactions);
    }
    void start_anew() {
        for (const char* suffix : {"", ".checkpoint", ".checkpoint.tmp", ".lock"})
            std::filesystem::remove(path_ + suffix);
    }

    kit::TestDirectory directory_;
    std::string path_ = directory_ / "lines.json";
    kit::TestRow row_;
};

TEST_F(FaultTest, each_call_fails_once_and_nothing_is_lost_or_doubled) {
    for (const auto& [fault, error] :
         {std::pair{Fault::error, EIO}, {Fault::error, ENOSPC}, {Fault::short_write, ENOSPC}}) {
        bool failed = true;
        for (int n = 0; failed; ++n) {
            SCOPED_TRACE("error " + std::to_string(error) + " at call " + std::to_string(n));
            ASSERT_LT(n, 500);
            start_anew();
            FaultySystem::arm(fault, n, error);
            const auto failure = kit::failure_of([&] { run(); });
            failed = FaultySystem::happened();
            FaultySystem::disarm();
            if (failed) {
                EXPECT_EQ(failure.outcome, FANOUT_RETRY) << failure.message;
                EXPECT_NE(failure.hint, "") << failure.message;
            }
            expect_consistent_and_finish();
        }
    }
}

TEST_F(FaultTest, a_crash_at_each_call_loses_nothing_and_doubles_nothing) {
    bool crashed = true;
    for (int n = 0; crashed; ++n) {
        SCOPED_TRACE("crash at call " + std::to_string(n));
        ASSERT_LT(n, 500);
        start_anew();
        const pid_t child = ::fork();
        if (child == 0) {
            FaultySystem::arm(Fault::crash, n);
            run();
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status));
        crashed = WEXITSTATUS(status) == 42;
        expect_consistent_and_finish();
    }
}

TEST_F(FaultTest, a_failed_fsync_never_moves_the_cursor) {
    const auto file = make();
    file->open(session_of());
    kit::write_one(*file, 1, row_.insert());
    file->flush(cursor_of(1));
    kit::write_one(*file, 2, row_.insert());
    const int syncs = FaultySystem::data_syncs;
    FaultySystem::arm(Fault::error, 1, EIO);  // the lines are written, then fdatasync fails
    EXPECT_EQ(kit::failure_of([&] { file->flush(cursor_of(2)); }).outcome, FANOUT_RETRY);
    EXPECT_EQ(FaultySystem::data_syncs, syncs + 1) << "the checkpoint counts lines not on disk";
    FaultySystem::disarm();
    file->close();
    EXPECT_EQ(file->open(session_of()).commit_lsn, cursor_of(1).commit_lsn);
    expect_lines(1);
}

}  // namespace
}  // namespace fanout::file_target
