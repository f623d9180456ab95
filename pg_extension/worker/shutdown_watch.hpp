// Learning that the server has begun to shut down while it still waits for its clients.
//
// A smart shutdown tells nobody: it refuses new sessions and waits until the last one has gone, and
// fanoutd's control session is one. Only postmaster.pid says so, so the worker watches that file.
// Where it cannot be watched, fanoutd finds out by asking, some seconds later.
#pragma once

namespace fanout::worker {

/// An inotify descriptor for the worker's wait set, or -1.
int open_shutdown_watch();

/// Called when the descriptor is readable: has a shutdown begun?
bool shutdown_has_begun(int watch);

}  // namespace fanout::worker
