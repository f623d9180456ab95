// The page_read callback: PostgreSQL's read_local_xlog_page with another way of waiting.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/wal_reader.hpp"
//
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

void wait_for_wal(XLogRecPtr wanted) {
    for (;;) {
        reading.flushed = server::flushed_lsn(&reading.timeline);
        if (wanted <= reading.flushed) return;
        sleep_for_wal(reading.link, wanted, reading.idle_work(reading.argument));
    }
}

int read_page(XLogReaderState* reader, XLogRecPtr page, int length, XLogRecPtr, char* buffer) {
    const XLogRecPtr wanted = page + static_cast<XLogRecPtr>(length);
    if (wanted > reading.flushed) wait_for_wal(wanted);
    server::determine_timeline(reader, page, length, reading.timeline);
    const TimeLineID timeline = reader->currTLI;
    const XLogRecPtr page_end = page + XLOG_BLCKSZ;
    const int count =
        page_end <= reading.flushed ? XLOG_BLCKSZ : static_cast<int>(reading.flushed - page);
    WALReadError error;
    if (!server::read_wal(reader, buffer, page, XLOG_BLCKSZ, timeline, &error)) {
        WALReadRaiseError(&error);
    }
    return count;
}

XLogReaderRoutine routine;

}  // namespace

XLogReaderRoutine* wal_reader_routine() {
    routine.page_read = read_page;
    routine.segment_open = wal_segment_open;
    routine.segment_close = wal_segment_close;
    return &routine;
}

void start_wal_reader(ConsumerLink* link, IdleWork idle_work, void* argument) {
    reading = {link, idle_work, argument, InvalidXLogRecPtr, 0};
    prepare_wal_wait();
}

}  // namespace fanout::worker
