// What follows a failed call: the one table of outcomes.
//
// Connectors classify, the host decides. Pure.
#pragma once

#include <chrono>
#include <cstdint>

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

/// Longest pause between two attempts.
inline constexpr std::chrono::milliseconds kRetryPauseMax{60'000};

}  // namespace fanout::lane
