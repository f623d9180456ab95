// Named places where a test can make fanoutd or a connector crash, fail, sleep or stand still.
//
// Exist only with -DFANOUT_FAULT_POINTS=ON; otherwise a point is the constant false. Who acts is
// sidecar/fault in fanoutd; in a program without it, such as a unit test, nobody does. The symbol
// is weak so that a connector finds it in the program that loads it, without another word in the
// ABI. docs/testing.md lists the points.
#pragma once

#ifdef FANOUT_FAULT_POINTS
extern "C" __attribute__((weak, visibility("default"))) bool (*fanout_fault_hook)(const char* name);

/// True if the place shall fail in its own way (action "error"); the other actions happen inside.
#define FANOUT_FAULT_POINT(name) \
    (&fanout_fault_hook != nullptr && fanout_fault_hook != nullptr && fanout_fault_hook(name))
#else
#define FANOUT_FAULT_POINT(name) false
#endif

/// A place that cannot fail.
#define FANOUT_FAULT_HERE(name) static_cast<void>(FANOUT_FAULT_POINT(name))
