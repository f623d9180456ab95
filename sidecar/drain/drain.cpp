// Life of the drain thread: start, stop, and what is known after it is gone.
#include "sidecar/drain/drain.hpp"

#include <utility>

#include "sidecar/drain/drain_loop.hpp"

namespace fanout::drain {

Drain::Drain(journal::Journal& journal, DrainCallbacks callbacks)
    : journal_(journal), callbacks_(std::move(callbacks)) {}

Drain::~Drain() {
    stop();
}

Status Drain::start(RingMapping mapping, WorkerConnection connection) {
    stop();
    auto loop = std::make_unique<DrainLoop>(journal_, callbacks_, std::move(mapping),
                                            std::move(connection));
    if (auto status = loop->prepare(); !status.is_ok()) return status;
    const std::lock_guard lock(mutex_);
    loop_ = std::move(loop);
    thread_ = std::thread([running = loop_.get()] { running->run(); });
    return Status::ok();
}

void Drain::stop() {
    const std::lock_guard stopping(stop_mutex_);
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
    const std::lock_guard lock(mutex_);
    last_status_ = loop_->status();
    loop_.reset();
}

DrainStatus Drain::status() const {
    const std::lock_guard lock(mutex_);
    return loop_ ? loop_->status() : last_status_;
}

}  // namespace fanout::drain
