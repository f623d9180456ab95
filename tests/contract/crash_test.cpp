// X: kill -9 at random times, any number of times, and the target is what the source was.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/contract/contract_fixture.hpp"

extern char** environ;

namespace fanout::contract {
namespace {

int rounds() {
    const char* wanted = std::getenv("FANOUT_CRASH_ROUNDS");
    return wanted != nullptr ? std::atoi(wanted) : 25;
}

class CrashTest : public ExactlyOnceTest {
  protected:
    /// Runs the writer, kills it after `life`; returns the last transaction it reported flushed.
    std::uint64_t run_and_kill(std::uint64_t epoch, std::chrono::milliseconds life) const {
        const nlohmann::json arguments = {
            {"directory", directory_}, {"options", options_}, {"epoch", epoch}};
        std::string connector = "--connector=" + suite().connector_path;
        std::string writer = "--crash-writer=" + arguments.dump();
        std::string program = suite().program;
        char* argv[] = {program.data(), connector.data(), writer.data(), nullptr};

        int reports[2];
        if (::pipe2(reports, O_CLOEXEC) != 0) return 0;
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, reports[1], STDOUT_FILENO);
        pid_t child = 0;
        const int failure =
            ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(reports[1]);
        EXPECT_EQ(failure, 0);

        // Only a writer at work is worth killing: the clock starts at its first report.
        std::uint64_t last = 0, number = 0;
        if (::read(reports[0], &number, sizeof number) == sizeof number) last = number;
        std::thread killer([&] {
            std::this_thread::sleep_for(life);
            ::kill(child, SIGKILL);
        });
        while (::read(reports[0], &number, sizeof number) == sizeof number)
            last = number;
        killer.join();
        ::close(reports[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status)) << "the writer failed before it was killed";
        return last;
    }
};

TEST_F(CrashTest, kill_9_at_random_times_loses_nothing_and_doubles_nothing) {
    std::mt19937_64 random(20261122);
    std::uint64_t epoch = 0;
    std::uint64_t before = 0;
    for (int round = 0; round < rounds(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        const auto life = std::chrono::milliseconds(random() % 40);
        const std::uint64_t reported = run_and_kill(++epoch, life);

        const auto instance = make();
        Session session;
        session.epoch = ++epoch;
        fanout_cursor cursor{};
        CONTRACT_ASSERT_OK(instance->open(session, &cursor));
        instance->close();
        const std::uint64_t number = Shop::number_of(cursor);
        ASSERT_GE(number, reported) << "what was flushed is gone";
        ASSERT_GT(number, before) << "no progress";
        before = number;
        shop_.replay(number);
        ASSERT_EQ(content(), expected()) << "after transaction " << number;
    }
    RecordProperty("transactions", static_cast<int>(before));
}

}  // namespace
}  // namespace fanout::contract
