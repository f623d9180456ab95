// Named places where a test can make the decoding worker crash, fail, sleep or stand still.
//
// Exist only with -DFANOUT_FAULT_POINTS=ON, and then cost a look at one word of memory. Asked for
// by the setting fanout.fault_point (configuration file): name:n-th hit:crash|error|sleep|hold. A
// point acts once in the life of a data directory: its file pg_fanout.<name>.hit says that it has,
// and a hold ends when pg_fanout.<name>.release is there. docs/testing.md lists the points.
#pragma once

#include "pg_extension/pg.hpp"

namespace fanout::fault {

#ifdef FANOUT_FAULT_POINTS

extern bool armed __attribute__((visibility("hidden")));

/// The setting itself.
void define_setting();
void hit(const char* name);

#define FANOUT_FAULT_HERE(name)                                       \
    do {                                                              \
        if (unlikely(fanout::fault::armed)) fanout::fault::hit(name); \
    } while (false)

#else

inline void define_setting() {}

#define FANOUT_FAULT_HERE(name) static_cast<void>(0)

#endif

}  // namespace fanout::fault
