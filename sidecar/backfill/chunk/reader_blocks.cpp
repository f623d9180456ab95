// Reader's way through a table that has no key to divide it by: all its readers share the blocks,
// under the snapshot of the one that opened the window. See block_share.hpp.
#include "sidecar/backfill/chunk/reader.hpp"

namespace fanout::backfill {

/// With the mutex: a table that another reader has opened. A part of it is only taken once it can
/// be read: who finds no connection must not spoil what the others do.
bool Reader::choose_shared(TableCopy& copy, ChunkJob& job) {
    for (const auto& [id, window] : copy.windows) {
        if (!window->share || !window->share->has_part()) continue;
        job.id = id;
        job.shape = window->shape;
        job.snapshot = window->share->snapshot();
        return true;
    }
    return false;
}

/// Its transaction lasts until everybody is done: the others' snapshot is this one.
Status Reader::read_table(ChunkJob& job, Window& window) {
    if (auto done = share(job, window); !done.is_ok()) return done;
    if (auto done = read_parts(job, window); !done.is_ok()) return done;
    {
        std::unique_lock lock(copier_.mutex_);
        copier_.changed_.wait(lock, [&] {
            return copier_.stopping_ || window.share->is_done() ||
                   copier_.find_window(window.id) == nullptr;
        });
    }
    const auto end = source_.flush_wal();
    if (!end.is_ok()) return end.status();
    if (auto done = source_.commit(); !done.is_ok()) return done;
    return hand_over(window, new_piece(job), true, end.value());
}

/// Offers the other readers a share, of a table that is worth it.
Status Reader::share(const ChunkJob& job, Window& window) {
    const auto blocks = source_.blocks_of(job);
    if (!blocks.is_ok()) return blocks.status();
    const auto snapshot = source_.export_snapshot();
    if (!snapshot.is_ok()) return snapshot.status();
    {
        const std::lock_guard lock(copier_.mutex_);
        window.share.emplace(snapshot.value(), blocks.value(), copier_.options_.workers);
        copier_.news_ = true;
    }
    copier_.changed_.notify_all();
    return Status::ok();
}

Status Reader::join(ChunkJob& job) {
    const auto joined = source_.join(job.snapshot);
    std::shared_ptr<Window> window;
    {
        const std::lock_guard lock(copier_.mutex_);
        window = copier_.find_window(job.id);
        // Given up or read to its end meanwhile: then its snapshot may be gone as well.
        if (window != nullptr && !window->share->has_part()) window = nullptr;
    }
    if (window == nullptr) {
        source_.roll_back();
        return Status::ok();
    }
    if (!joined.is_ok()) return joined;
    if (auto done = read_parts(job, *window); !done.is_ok()) return done;
    return source_.commit();
}

/// Until there is none left.
Status Reader::read_parts(ChunkJob& job, Window& window) {
    for (;;) {
        {
            const std::lock_guard lock(copier_.mutex_);
            job.blocks = window.share->take();
            if (!job.blocks) return Status::ok();
        }
        const auto begun = std::chrono::steady_clock::now();
        {
            const auto turn = take_turn(window.id);
            if (turn == nullptr) return Status::retry("stopped");
            auto piece = new_piece(job);
            Lsn end = 0;
            if (auto done = copy_rows(job, window, piece, end); !done.is_ok()) return done;
            if (auto done = hand_over(window, piece, false, 0); !done.is_ok()) return done;
        }
        {
            const std::lock_guard lock(copier_.mutex_);
            window.share->done();
        }
        copier_.changed_.notify_all();
        slow_down(begun, rows_read_, bytes_read_);
    }
}

}  // namespace fanout::backfill
