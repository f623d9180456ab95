// Starting and ending decoding workers from an ordinary session.
#pragma once

#include "pg_extension/pg.hpp"
#include "pg_extension/worker/decoding_worker.hpp"

namespace fanout::worker {

/// Starts a worker and waits until it listens; its error becomes the caller's. `facts` gets a copy
/// of what the worker reported.
void launch_worker(const LaunchRequest& request, LaunchArea* facts);

/// Ends the decoding worker that has the slot, if one has, and waits until the slot is free, at
/// most ten seconds. False if no worker had it. Raises 55006 if something else has it.
bool stop_worker(const char* slot);

}  // namespace fanout::worker
