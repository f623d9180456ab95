// Memory of one batch: grows in chunks, given back all at once.
//
// One thread. Only trivially destructible things live here; pointers die with reset().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace fanout::lane {

class Arena {
  public:
    /// `count` objects, not initialised.
    template <typename T>
    T* make(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kAlignment);
        return static_cast<T*>(allocate(count * sizeof(T)));
    }

    /// Everything goes; one chunk is kept for the next batch.
    void reset() {
        if (chunks_.size() > 1) chunks_.resize(1);
        if (!chunks_.empty() && chunks_[0].size > kChunkBytes) chunks_.clear();
        used_ = 0;
        bytes_ = 0;
    }

    /// Handed out since the last reset.
    std::size_t bytes() const { return bytes_; }

  private:
    static constexpr std::size_t kAlignment = 8;
    static constexpr std::size_t kChunkBytes = 1U << 20;

    struct Chunk {
        std::unique_ptr<std::uint8_t[]> data;
        std::size_t size;
    };

    void* allocate(std::size_t size) {
        size = (size + kAlignment - 1) & ~(kAlignment - 1);
        if (chunks_.empty() || used_ + size > chunks_.back().size) {
            const std::size_t chunk = size > kChunkBytes ? size : kChunkBytes;
            chunks_.push_back({std::make_unique_for_overwrite<std::uint8_t[]>(chunk), chunk});
            used_ = 0;
        }
        void* place = chunks_.back().data.get() + used_;
        used_ += size;
        bytes_ += size;
        return place;
    }

    std::vector<Chunk> chunks_;
    std::size_t used_ = 0;  // of the last chunk
    std::size_t bytes_ = 0;
};

}  // namespace fanout::lane
