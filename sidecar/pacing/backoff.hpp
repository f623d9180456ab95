// How long to wait before trying again.
//
// Doubles from the first pause to the last; each is between half and all of its step, so that
// those who failed together do not come back together. One thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace fanout::pacing {

class Backoff {
  public:
    explicit Backoff(std::chrono::milliseconds last) : last_(last) {}

    std::chrono::milliseconds next() {
        const auto step = step_;
        step_ = std::min(step_ * 2, last_);
        std::uniform_int_distribution<std::int64_t> between(step.count() / 2, step.count());
        return std::chrono::milliseconds(between(random_));
    }
    void reset() { step_ = kFirst; }

    static constexpr std::chrono::milliseconds kFirst{100};

  private:
    std::chrono::milliseconds last_;
    std::chrono::milliseconds step_ = kFirst;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace fanout::pacing
