// Offers, acknowledgements, confirmation.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/worker/slot_progress.hpp"

#include "pg_extension/worker/fault_point.hpp"

namespace fanout::worker {

void SlotProgress::offer(XLogRecPtr lsn) {
    if (lsn <= last_offer_) return;
    if (end_ == kOffersMax) thin_out();
    offers_[end_++] = lsn;
    last_offer_ = lsn;
    poll_ms_ = kPollMinMs;
}

/// Makes room: moves the array to its front, and if it is still full drops every second offer. An
/// acknowledgement of a dropped one confirms its neighbour below: WAL is freed a little later.
void SlotProgress::thin_out() {
    const int step = first_ == 0 ? 2 : 1;
    int kept = 0;
    for (int i = first_; i < end_; i += step)
        offers_[kept++] = offers_[i];
    first_ = 0;
    end_ = kept;
}

XLogRecPtr SlotProgress::largest_offer_up_to(XLogRecPtr lsn) {
    XLogRecPtr found = InvalidXLogRecPtr;
    while (first_ < end_ && offers_[first_] <= lsn)
        found = offers_[first_++];
    if (first_ == end_) first_ = end_ = 0;
    return found;
}

bool SlotProgress::is_believable(XLogRecPtr durable) const {
    return durable >= acknowledged_ && durable <= Max(last_offer_, confirmed_);
}

void SlotProgress::confirm(XLogRecPtr durable) {
    acknowledged_ = durable;
    FANOUT_FAULT_HERE("worker.ack_read");
    const XLogRecPtr lsn = largest_offer_up_to(durable);
    if (lsn <= confirmed_) return;
    server::wait_for_standbys(lsn);
    LogicalConfirmReceivedLocation(lsn);
    FANOUT_FAULT_HERE("worker.slot_confirmed");
    confirmed_ = lsn;
    unsaved_ = true;
    poll_ms_ = kPollMinMs;
}

void SlotProgress::poll() {
    const XLogRecPtr durable = ack_->durable_lsn.load(std::memory_order_acquire);
    if (durable != acknowledged_ && durable != InvalidXLogRecPtr) {
        if (!is_believable(durable)) {
            ereport(ERROR,
                    (errcode(ERRCODE_PROTOCOL_VIOLATION),
                     errmsg("fanoutd acknowledged %X/%X, which it cannot have",
                            LSN_FORMAT_ARGS(durable)),
                     errdetail("Its last acknowledgement was %X/%X, the last end sent %X/%X.",
                               LSN_FORMAT_ARGS(acknowledged_), LSN_FORMAT_ARGS(last_offer_))));
        }
        confirm(durable);
    }
    if (unsaved_ && TimestampDifferenceExceeds(saved_at_, GetCurrentTimestamp(), kSaveIntervalMs)) {
        save();
    }
}

void SlotProgress::finish() {
    const XLogRecPtr durable = ack_->durable_lsn.load(std::memory_order_acquire);
    if (durable != acknowledged_ && is_believable(durable)) confirm(durable);
    save();
}

long SlotProgress::next_poll_ms() {
    if (first_ != end_) {
        const long wait = poll_ms_;
        poll_ms_ = Min(poll_ms_ * 2, kPollMaxMs);
        return wait;
    }
    return unsaved_ ? kSaveIntervalMs : -1;
}

void SlotProgress::save() {
    if (!unsaved_) return;
    ReplicationSlotMarkDirty();
    ReplicationSlotSave();
    unsaved_ = false;
    saved_at_ = GetCurrentTimestamp();
}

}  // namespace fanout::worker
