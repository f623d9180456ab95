// memfd, pages, double mapping, seals.
#include "pg_extension/pg.hpp"
//
#include "pg_extension/worker/ring_segment.hpp"
//
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace fanout::worker {

namespace {

constexpr int kSealsAgainstResizing = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

[[noreturn]] void fail(const char* what) {
    ereport(ERROR,
            (errcode_for_file_access(), errmsg("could not create the shared ring: %s: %m", what),
             errhint("The ring needs its size (ring_bytes of the stream) in free memory.")));
    pg_unreachable();
}

int create_memory(const char* name, uint64 size) {
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) fail("memfd_create");
    ReserveExternalFD();
    int result = 0;
    do {
        result = fallocate(fd, 0, 0, static_cast<off_t>(size));
        CHECK_FOR_INTERRUPTS();
    } while (result != 0 && errno == EINTR);
    if (result != 0) fail("fallocate");
    return fd;
}

/// A larger ring would keep the attachment waiting.
constexpr uint64 kPopulatedBytesMax = 256ULL << 20;

void* map(void* place, Size size, int fd, off_t offset, int more_flags = 0) {
    const int flags = MAP_SHARED | (place != nullptr ? MAP_FIXED : 0) | more_flags;
    void* mapped = mmap(place, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    if (mapped == MAP_FAILED) fail("mmap");
    return mapped;
}

/// Header and records, then the records once more, in one reserved range.
uint8* map_data(int fd, uint64 capacity) {
    const Size once = ring::kHeaderBytes + capacity;
    void* range = mmap(nullptr, once + capacity, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) fail("mmap");
    auto* base = static_cast<uint8*>(range);
    // The pages are there already; a fault for each, the first time round, cost small transactions
    // a fifteenth. The second copy is only touched where a record crosses the end.
    map(base, once, fd, 0, capacity <= kPopulatedBytesMax ? MAP_POPULATE : 0);
    map(base + once, capacity, fd, static_cast<off_t>(ring::kHeaderBytes));
    return base;
}

void seal(int fd, int seals) {
    if (fcntl(fd, F_ADD_SEALS, seals) != 0) fail("seal");
}

}  // namespace

void create_ring_segment(RingSegment* segment, uint64 capacity, uint32 epoch) {
    if (capacity < ring::kCapacityMin || capacity > ring::kCapacityMax ||
        (capacity & (capacity - 1)) != 0) {
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("ring size of " UINT64_FORMAT " bytes is impossible", capacity),
                        errhint("Use a power of two from 1 MiB to 4 GiB.")));
    }
    if (sysconf(_SC_PAGESIZE) > static_cast<long>(ring::kHeaderBytes)) {
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("memory pages of this machine are larger than %zu bytes",
                               ring::kHeaderBytes)));
    }
    segment->data_fd = create_memory("pg_fanout ring", ring::kHeaderBytes + capacity);
    segment->ack_fd = create_memory("pg_fanout acknowledgements", ring::kAckBytes);
    uint8* base = map_data(segment->data_fd, capacity);
    segment->header = new (base) ring::DataHeader{};
    segment->header->magic = ring::kDataMagic;
    segment->header->version = ring::kRingVersion;
    segment->header->epoch = epoch;
    segment->header->capacity = capacity;
    segment->data = base + ring::kHeaderBytes;
    segment->ack = new (map(nullptr, ring::kAckBytes, segment->ack_fd, 0)) ring::AckHeader{};
    segment->ack->magic = ring::kAckMagic;
    segment->ack->version = ring::kRingVersion;
    segment->ack->epoch = epoch;
    seal(segment->data_fd, kSealsAgainstResizing | F_SEAL_FUTURE_WRITE);
    seal(segment->ack_fd, kSealsAgainstResizing);
}

}  // namespace fanout::worker
