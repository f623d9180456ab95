// The consumer's durable LSN, checked, then confirmed to the slot.
//
// Only LSNs that this worker has sent as the end of a commit or as a keepalive can be confirmed: a
// value between two of them is rounded down, one beyond the last or below the previous is a lie and
// ends the connection. Before 17 a clean restart loses a confirmation that moved neither xmin nor
// restart_lsn, so the slot is marked dirty and saved, at most every few seconds and on leaving.
#pragma once

#include "pg_extension/pg.hpp"
//
#include "fanout/ring/ring_layout.hpp"

namespace fanout::worker {

class SlotProgress {
  public:
    explicit SlotProgress(const ring::AckHeader* ack) : ack_(ack) {}

    /// The slot's own confirmed position, from which acknowledgements start.
    void begin_at(XLogRecPtr confirmed) { confirmed_ = acknowledged_ = confirmed; }

    /// `lsn` is now something the consumer may acknowledge. Grows strictly.
    void offer(XLogRecPtr lsn);

    /// Loads the acknowledgement, confirms, saves if due. Raises 08P01 at a lie.
    void poll();

    /// Milliseconds until poll() should be called again though nothing else happens; -1: never.
    long next_poll_ms();

    /// The last acknowledgement, confirmed if it is believable, and saved. On leaving; never raises
    /// 08P01.
    void finish();

  private:
    static constexpr int kOffersMax = 4096;
    static constexpr int kSaveIntervalMs = 3000;
    static constexpr long kPollMinMs = 20;
    static constexpr long kPollMaxMs = 1000;

    bool is_believable(XLogRecPtr durable) const;
    void confirm(XLogRecPtr durable);
    void save();
    void thin_out();
    XLogRecPtr largest_offer_up_to(XLogRecPtr lsn);

    const ring::AckHeader* ack_;
    XLogRecPtr offers_[kOffersMax] = {};  // ascending, from first_ on
    int first_ = 0;
    int end_ = 0;
    XLogRecPtr last_offer_ = InvalidXLogRecPtr;
    XLogRecPtr acknowledged_ = InvalidXLogRecPtr;
    XLogRecPtr confirmed_ = InvalidXLogRecPtr;
    bool unsaved_ = false;
    TimestampTz saved_at_ = 0;
    long poll_ms_ = kPollMinMs;
};

}  // namespace fanout::worker
