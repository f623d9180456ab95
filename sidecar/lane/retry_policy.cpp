// See retry_policy.hpp.
#include "sidecar/lane/retry_policy.hpp"

namespace fanout::lane {

const char* state_name(LaneState state) {
    switch (state) {
        case LaneState::starting:
            return "starting";
        case LaneState::streaming:
            return "streaming";
        case LaneState::retrying:
            return "retrying";
        case LaneState::failed:
            return "failed";
        case LaneState::needs_resync:
            return "needs_resync";
        case LaneState::denied:
            return "denied";
        case LaneState::paused:
            return "paused";
    }
    return "failed";
}

LaneState state_after(fanout_outcome outcome) {
    switch (outcome) {
        case FANOUT_OK:
            return LaneState::streaming;
        case FANOUT_RETRY:
            return LaneState::retrying;
        case FANOUT_REJECT:
        case FANOUT_FATAL:
        case FANOUT_FENCED:
            break;
    }
    return LaneState::failed;
}

}  // namespace fanout::lane
