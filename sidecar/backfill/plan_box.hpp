// The copies that the catalog asks for, handed to a running lane.
//
// The control thread puts, the lane thread takes; a version tells whether there is anything new.
#pragma once

#include <atomic>
#include <mutex>

#include "sidecar/backfill/request.hpp"

namespace fanout::backfill {

class PlanBox {
  public:
    void put(const Plan& plan) {
        const std::lock_guard lock(mutex_);
        plan_ = plan;
        ++version_;
    }
    Plan get(std::uint64_t& version) const {
        const std::lock_guard lock(mutex_);
        version = version_;
        return plan_;
    }
    std::uint64_t version() const { return version_; }

  private:
    mutable std::mutex mutex_;
    std::atomic<std::uint64_t> version_{1};
    Plan plan_;  // with mutex_
};

}  // namespace fanout::backfill
