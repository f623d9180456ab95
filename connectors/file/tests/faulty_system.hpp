// Stands between the connector and the system calls that change a file, and makes the n-th one fail
// or be the last thing the process does.
#pragma once

#include <atomic>

namespace fanout::file_target {

struct FaultySystem {
    enum class Fault { none, error, short_write, crash };
    static inline std::atomic<Fault> fault = Fault::none;
    static inline std::atomic<int> error = 0;
    static inline std::atomic<int> calls_left = 0;  // before the fault
    static inline std::atomic<int> data_syncs = 0;  // of all files, ever

    static void arm(Fault what, int after_calls, int error_number = 0) {
        error = error_number;
        calls_left = after_calls;
        fault = what;
    }
    static void disarm() { fault = Fault::none; }
    /// True if the armed fault has happened.
    static bool happened() { return calls_left < 0; }
};

}  // namespace fanout::file_target
