// Memory of pieces that are done with, for the next ones: fresh pages for every chunk cost more
// than taking its rows apart.
//
// Any thread; one mutex, held for a moment. Keeps what chunks of ordinary size need, no more.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "fanout/connector/abi.h"

namespace fanout::backfill {

class PieceStore {
  public:
    static constexpr std::size_t kBlockBytes = 256 * 1024;
    using Block = std::unique_ptr<std::uint8_t[]>;
    struct Memory {
        std::vector<fanout_value> values;
        std::vector<Block> blocks;  // of kBlockBytes each
    };

    Memory take() {
        const std::lock_guard lock(mutex_);
        if (kept_.empty()) return {};
        Memory memory = std::move(kept_.back());
        kept_.pop_back();
        return memory;
    }
    void give(Memory memory) {
        memory.values.clear();
        const std::lock_guard lock(mutex_);
        if (kept_.size() < most_) kept_.push_back(std::move(memory));
    }
    /// At most so many from now on.
    void keep(std::size_t most) {
        const std::lock_guard lock(mutex_);
        most_ = most;
        if (kept_.size() > most) kept_.resize(most);
    }

  private:
    std::mutex mutex_;
    std::vector<Memory> kept_;  // with mutex_
    std::size_t most_ = 4;      // with mutex_
};

}  // namespace fanout::backfill
