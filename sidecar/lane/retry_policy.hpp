// What follows a failed call: the one table of outcomes, and how long to wait.
//
// Connectors classify, the host decides. Pure but for the jitter; lane thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "fanout/connector/abi.h"

namespace fanout::lane {

enum class LaneState : std::uint8_t {
    starting,      // made, not yet at its target
    streaming,     // delivering, or waiting for something to deliver
    retrying,      // the target failed in a way that may pass
    failed,        // a person has to act
    needs_resync,  // the journal no longer has what comes next
    denied,        // its owner may not read one of its tables
    paused,        // asked to rest
};

const char* state_name(LaneState state);

/// The state a lane is in after `outcome`; FANOUT_OK keeps it streaming.
LaneState state_after(fanout_outcome outcome);

/// True if the lane tries again by itself.
inline bool tries_again(LaneState state) {
    return state == LaneState::retrying;
}

/// Doubles from 100 ms to 60 s; each pause is between half and all of it, so that lanes that
/// failed together do not come back together.
class Backoff {
  public:
    std::chrono::milliseconds next();
    void reset() { step_ = kFirst; }

    static constexpr std::chrono::milliseconds kFirst{100};
    static constexpr std::chrono::milliseconds kLast{60'000};

  private:
    std::chrono::milliseconds step_ = kFirst;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace fanout::lane
