// See lane_outbox.hpp.
#include "sidecar/lane/lane_outbox.hpp"

namespace fanout::lane {

void LaneOutbox::post(LaneEvent event) {
    if (event == LaneEvent::progress && progress_waits_.exchange(true)) return;
    // Full: the control thread has events of this lane to take and will read the board then.
    static_cast<void>(events_.push(event));
    doorbell_(event);
}

LaneOutbox::News LaneOutbox::take_events() {
    News news;
    progress_waits_ = false;  // before the queue is read: what comes later rings again
    LaneEvent event{};
    while (events_.pop(event)) {
        news.any = true;
        news.urgent = news.urgent || event != LaneEvent::progress;
    }
    return news;
}

LaneSnapshot LaneOutbox::snapshot() const {
    const std::lock_guard lock(mutex_);
    return board_;
}

}  // namespace fanout::lane
