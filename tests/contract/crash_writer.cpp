#include "tests/contract/crash_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/contract/contract_fixture.hpp"

namespace fanout::contract {
namespace {

int failed(const char* call, const Outcome& outcome) {
    std::fprintf(stderr, "%s: %s\n", call, outcome.message.c_str());
    return 1;
}

/// A large transaction in parts, or a group of small ones.
Outcome write_group(Instance& instance, Shop& shop, std::mt19937_64& random, fanout_cursor& end) {
    constexpr std::size_t kPart = 500;
    if (Shop::is_large(shop.transactions() + 1)) {
        const auto large = shop.random();
        end = large->cursor();
        Outcome outcome;
        for (std::size_t first = 0; first < large->size() && outcome.code == FANOUT_OK;
             first += kPart)
            outcome = instance.write({large->part(first, std::min(kPart, large->size() - first))});
        return outcome;
    }
    std::vector<std::shared_ptr<const Transaction>> kept;
    std::vector<fanout_transaction> group;
    for (std::size_t room = 1 + random() % 8; room > 0 && !Shop::is_large(shop.transactions() + 1);
         --room) {
        kept.push_back(shop.random());
        group.push_back(kept.back()->whole());
    }
    end = kept.back()->cursor();
    return instance.write(group);
}

}  // namespace

int write_until_killed(const std::string& arguments) {
    const auto object = nlohmann::json::parse(arguments);
    const std::string directory = object.at("directory");
    Instance instance(*suite().connector, object.at("options"), directory);
    Session session;
    session.epoch = object.at("epoch");
    fanout_cursor cursor{};
    Outcome outcome = instance.open(session, &cursor);
    if (outcome.code != FANOUT_OK) return failed("open", outcome);

    Shop shop;
    shop.replay(Shop::number_of(cursor));
    std::mt19937_64 random(session.epoch);
    for (;;) {
        outcome = write_group(instance, shop, random, cursor);
        if (outcome.code != FANOUT_OK) return failed("write", outcome);
        const bool ahead = suite().connector->settle != nullptr && random() % 3 == 0;
        outcome = ahead ? instance.begin_flush(cursor) : instance.flush(cursor);
        if (outcome.code != FANOUT_OK) return failed("flush", outcome);
        if (ahead) continue;
        const std::uint64_t number = shop.transactions();
        if (::write(STDOUT_FILENO, &number, sizeof number) != sizeof number) return 0;
        // Many short groups find more than few long ones, and the content stays small.
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
    }
}

}  // namespace fanout::contract
