// The two shared segments: created, sized, sealed and mapped here, and nowhere named: a memfd
// leaves nothing behind. docs/ring-protocol.md.
//
// Pages of the data segment are allocated before use, so that a full machine is an error here and
// not a SIGBUS later. Seals: nobody can resize a segment, and nobody but the worker, whose mapping
// is older than the seal, can write to the data segment.
#pragma once

#include "pg_extension/pg.hpp"
//
#include "fanout/ring/ring_layout.hpp"

namespace fanout::worker {

struct RingSegment {
    int data_fd = -1;
    int ack_fd = -1;
    ring::DataHeader* header = nullptr;
    ring::AckHeader* ack = nullptr;
    uint8* data = nullptr;  // the record area, mapped twice in a row
};

/// `capacity` must be a power of two within the limits of ring_layout.hpp; raises 22023 otherwise.
void create_ring_segment(RingSegment* segment, uint64 capacity, uint32 epoch);

}  // namespace fanout::worker
