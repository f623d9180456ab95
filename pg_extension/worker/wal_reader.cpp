// The page_read callback: PostgreSQL's read_local_xlog_page with another way of waiting, and many
// pages a read while there is a backlog.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/wal_reader.hpp"
//
#include <fcntl.h>

#include "pg_extension/worker/wal_wait.hpp"

namespace fanout::worker {

namespace {

// One worker per process, and the server's callback has no argument of ours.
struct {
    ConsumerLink* link;
    IdleWork idle_work;
    void* argument;
    XLogRecPtr flushed;
    TimeLineID timeline;
} reading;

CommitPace pace;

/// Whole pages that were read at once: a system call per page was a tenth of decoding's cost.
struct {
    char* bytes;
    XLogRecPtr start, end;
    TimeLineID timeline;
} ahead;

constexpr Size kAheadPages = 16;

void wait_for_wal(XLogRecPtr wanted) {
    for (;;) {
        reading.flushed = server::flushed_lsn(&reading.timeline);
        if (wanted <= reading.flushed) return;
        ring_if_owed(reading.link);  // the idle work may write to the disk
        const long sleep_ms = reading.idle_work(reading.argument);
        const long nap_us = pace.nap_us(GetCurrentTimestamp());
        if (nap_us > 0) {
            nap(reading.link, nap_us);
        } else {
            sleep_for_wal(reading.link, wanted, sleep_ms);
        }
    }
}

void read_wal(XLogReaderState* reader, char* buffer, XLogRecPtr page, Size size,
              TimeLineID timeline) {
    WALReadError error;
    if (!server::read_wal(reader, buffer, page, size, timeline, &error)) WALReadRaiseError(&error);
}

/// A page that is complete and will never change.
void read_whole_page(XLogReaderState* reader, char* buffer, XLogRecPtr page) {
    const TimeLineID timeline = reader->currTLI;
    const bool known = page >= ahead.start && page < ahead.end && timeline == ahead.timeline;
    if (!known) {
        XLogRecPtr end = reading.flushed;
        const XLogRecPtr switched = reader->currTLIValidUntil;
        if (switched != InvalidXLogRecPtr) end = Min(end, switched);
        const Size pages = end > page ? static_cast<Size>((end - page) / XLOG_BLCKSZ) : 0;
        if (pages < 2) {
            read_wal(reader, buffer, page, XLOG_BLCKSZ, timeline);
            return;
        }
        const Size size = Min(pages, kAheadPages) * XLOG_BLCKSZ;
        ahead.end = ahead.start = page;  // nothing, should the read fail
        read_wal(reader, ahead.bytes, page, size, timeline);
        ahead.end = page + size;
        ahead.timeline = timeline;
    }
    memcpy(buffer, ahead.bytes + (page - ahead.start), XLOG_BLCKSZ);
}

int read_page(XLogReaderState* reader, XLogRecPtr page, int length, XLogRecPtr, char* buffer) {
    const XLogRecPtr wanted = page + static_cast<XLogRecPtr>(length);
    if (wanted > reading.flushed) wait_for_wal(wanted);
    server::determine_timeline(reader, page, length, reading.timeline);
    if (page + XLOG_BLCKSZ <= reading.flushed) {
        read_whole_page(reader, buffer, page);
        return XLOG_BLCKSZ;
    }
    read_wal(reader, buffer, page, XLOG_BLCKSZ, reader->currTLI);
    return static_cast<int>(reading.flushed - page);
}

/// A read of a file that is being written would write its access time each time: a twentieth of
/// what a small transaction costs here.
void open_segment(XLogReaderState* reader, XLogSegNo segment, TimeLineID* timeline) {
    wal_segment_open(reader, segment, timeline);
#ifdef O_NOATIME
    // Refused where the file is not our own; then it is as it ever was.
    (void)fcntl(reader->seg.ws_file, F_SETFL, O_NOATIME);
#endif
}

XLogReaderRoutine routine;

}  // namespace

XLogReaderRoutine* wal_reader_routine() {
    routine.page_read = read_page;
    routine.segment_open = open_segment;
    routine.segment_close = wal_segment_close;
    return &routine;
}

void note_transaction_end() {
    pace.note();
}

void start_wal_reader(ConsumerLink* link, IdleWork idle_work, void* argument) {
    reading = {link, idle_work, argument, InvalidXLogRecPtr, 0};
    ahead = {static_cast<char*>(MemoryContextAlloc(TopMemoryContext, kAheadPages * XLOG_BLCKSZ)),
             InvalidXLogRecPtr, InvalidXLogRecPtr, 0};
    prepare_wal_wait();
}

}  // namespace fanout::worker
