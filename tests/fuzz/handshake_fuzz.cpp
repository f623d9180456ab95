// Any bytes as the worker's packets.
#include <cstdlib>
#include <cstring>

#include "fanout/ring/ring_layout.hpp"
#include "sidecar/drain/worker_connection.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace fanout;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view packet(reinterpret_cast<const char*>(data), size);
    ring::Welcome welcome{};
    const bool accepted = drain::check_welcome(packet, welcome) == nullptr && welcome.status == 0;
    if (accepted && (welcome.capacity < ring::kCapacityMin ||
                     welcome.capacity > ring::kCapacityMax || size != sizeof welcome)) {
        std::abort();
    }
    const auto words = drain::read_farewell(packet);
    if (words && words->text.size() > ring::kHandshakeTextBytes) std::abort();
    return 0;
}

namespace fanout::testing {

std::vector<FuzzInput> fuzz_seeds() {
    ring::Welcome welcome{};
    welcome.magic = ring::kWelcomeMagic;
    welcome.version = ring::kProtocolVersion;
    welcome.capacity = ring::kCapacityDefault;
    ring::Farewell farewell{};
    farewell.magic = ring::kFarewellMagic;
    std::memset(farewell.text, 'x', sizeof farewell.text);
    FuzzInput first(sizeof welcome), second(sizeof farewell);
    std::memcpy(first.data(), &welcome, sizeof welcome);
    std::memcpy(second.data(), &farewell, sizeof farewell);
    return {first, second};
}

std::size_t fuzz_rounds() {
    return 500'000;
}

}  // namespace fanout::testing
