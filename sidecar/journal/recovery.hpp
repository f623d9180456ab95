// Opens what a former process left: checks it, cuts what a crash tore, finds where the stream is.
//
// Runs once, on the opening thread, before anything else uses the directory. Believes no byte.
// The rule between a torn tail and corruption: only bytes that were never known to be on disk can
// be torn. A segment carries a mark once the one before it is durable, so damage there, or before,
// is corruption and is refused; damage behind is cut off, and what was cut is decoded again. (Had
// it been confirmed to the slot nevertheless, attaching refuses, because the slot is ahead.)
#pragma once

#include <memory>
#include <string>

#include "fanout/base/status.hpp"
#include "sidecar/journal/journal.hpp"
#include "sidecar/journal/segment_catalog.hpp"
#include "sidecar/journal/stream_state.hpp"

namespace fanout::journal {

struct Recovered {
    StreamState state;
    RelationTable relations;
    RecoveryReport report;
};

/// Fills `catalog`, whose ends are then all durable. An empty or new directory is fine.
Result<Recovered> recover(const std::string& directory, const SourceIdentity& identity,
                          std::uint64_t segment_bytes, Files& files, SegmentCatalog& catalog);

}  // namespace fanout::journal
