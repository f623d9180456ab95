// The lane's side of Copier; chunk/reader.cpp has the readers'.
#include "sidecar/backfill/copier.hpp"

#include <pthread.h>

#include <algorithm>

#include "sidecar/backfill/chunk/reader.hpp"
#include "sidecar/observe/log.hpp"

namespace fanout::backfill {
namespace {

using namespace std::chrono_literals;

/// How long the lane waits for snapshots before it goes on without them.
constexpr auto kHoldMax = 100ms;
constexpr unsigned kWorkersMax = 16;
/// If it is not said: what all chunks between source and target may take, about, and each.
constexpr std::uint64_t kChunksBytesMax = 14U << 20, kChunkBytesMin = 1U << 20,
                        kChunkBytesMax = 8U << 20;
/// What large values between source and target may take of the disk before no more are read.
constexpr std::uint64_t kFileBytesMax = 64U << 20;

}  // namespace

Copier::Copier(CopierParts parts, const Notes& notes, Plan plan) : parts_(std::move(parts)) {
    for (const auto& [name, text] : notes) {
        TableCopy copy;
        copy.request.table = static_cast<Oid32>(std::strtoul(name.c_str(), nullptr, 10));
        if (!copy.take_note(text, parts_.subscription)) continue;
        // It may have rows of ranges still to come, and needs to hear of their end.
        if (parts_.may_repeat && copy.state == CopyState::copying) copy.lenient = true;
        if (copy.under_way()) copy.started_at = std::chrono::system_clock::now();
        tables_.emplace(copy.request.table, std::move(copy));
    }
    set_plan(plan);
}

Copier::~Copier() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    stop_fd_.ring();
    changed_.notify_all();
    for (auto& reader : readers_)
        reader.join();
}

TableCopy* Copier::find(Oid32 table) {
    const auto found = tables_.find(table);
    return found == tables_.end() ? nullptr : &found->second;
}

void Copier::ask_lane() {
    attention_ = true;
    parts_.wake_lane();
}

void Copier::set_plan(const Plan& plan) {
    {
        const std::lock_guard lock(mutex_);
        options_ = plan.options;
        options_.workers = std::clamp(options_.workers, 1U, kWorkersMax);
        if (options_.chunk_bytes == 0)
            options_.chunk_bytes = std::clamp(kChunksBytesMax / (options_.workers + 2),
                                              kChunkBytesMin, kChunkBytesMax);
        for (const auto& request : plan.requests) {
            accept(request);
            tables_.at(request.table).listed = true;
        }
        for (auto& [oid, copy] : tables_) {
            copy.create_indexes =
                parts_.takes_indexes ? options_.create_indexes : CreateIndexes::never;
            const bool unwanted =
                copy.create_indexes == CreateIndexes::never || copy.request.cancelled;
            if (unwanted && copy.state == CopyState::indexing) copy.finish();
        }
        settle_states();
        // One more than read at a time: it prepares the next chunk meanwhile.
        while (busy_ && readers_.size() <= options_.workers)
            readers_.emplace_back([this, number = readers_.size()] {
                pthread_setname_np(pthread_self(), ("copy " + std::to_string(number)).c_str());
                Reader(*this, static_cast<unsigned>(number)).run();
            });
        attention_ = true;
        news_ = turned_ = true;
    }
    changed_.notify_all();
}

/// With mutex_.
void Copier::accept(const Request& request) {
    const auto found = tables_.find(request.table);
    const bool again =
        found != tables_.end() && found->second.request.generation < request.generation;
    if (found == tables_.end() || again) {
        TableCopy& copy = tables_[request.table];
        const bool had_foreign_rows = copy.foreign_rows;
        const auto schema_changes = copy.schema_changes + 1;  // a look that is under way is void
        copy = {};
        copy.schema_changes = schema_changes;
        copy.request = request;
        copy.lenient = parts_.always_lenient || request.on_nonempty == OnNonempty::upsert ||
                       !request.predicate.empty();
        // A resync of some rows removes none.
        copy.foreign_rows = request.predicate.empty() ? request.on_nonempty == OnNonempty::upsert
                                                      : had_foreign_rows;
        copy.needs_truncate = !copy.lenient && request.on_nonempty == OnNonempty::truncate;
    }
    TableCopy& copy = tables_[request.table];
    if (!(copy.request == request)) copy.retry_at = {};  // what failed may do now
    copy.request = request;
    if (request.cancelled && copy.under_way()) {
        while (!copy.windows.empty())
            copy.windows.erase(copy.windows.begin());
        copy.state = CopyState::cancelled;
        copy.finished_at = std::chrono::system_clock::now();
        copy.note_due = true;
    }
}

/// With mutex_: what is asked without the mutex.
void Copier::settle_states() {
    Lsn next = ~Lsn{0};
    bool busy = false, judges = false;
    for (const auto& [oid, copy] : tables_) {
        busy = busy || copy.state != CopyState::complete;
        if (copy.under_way() && copy.shape_from > lane_at_) next = std::min(next, copy.shape_from);
        judges = judges || copy.foreign_rows;
        for (const Range& range : copy.ranges.ranges())
            if (copy.under_way() && range.state == RangeState::landed)
                next = std::min(next, range.passed_at);
        if (copy.state == CopyState::indexing && copy.indexes != nullptr)
            next = std::min(next, copy.indexes->read_at);
    }
    busy_ = busy;
    judges_ = busy || judges;
    store_->keep(busy ? windows_max() : 0);
    next_pass_ = next;
}

void Copier::met(const fanout_table& table) {
    bool is_new = false;
    {
        const std::lock_guard lock(mutex_);
        auto* copy = find(table.oid);
        if (copy != nullptr) {
            const bool other_key = copy->mode == CopyMode::ordered && copy->under_way() &&
                                   !copy->shape->key->is_key_of(table);
            if (other_key) copy->restart();
            return;
        }
        if (!options_.backfill) return;
        Request request;
        request.table = table.oid;
        request.schema.assign(table.schema.data, table.schema.size);
        request.name.assign(table.name.data, table.name.size);
        request.on_nonempty = options_.on_nonempty;
        accept(request);
        settle_states();
        is_new = true;
    }
    if (!is_new) return;
    Plan same;
    {
        const std::lock_guard lock(mutex_);
        same.options = options_;
    }
    set_plan(same);
}

bool Copier::schema_changes(Oid32 table) {
    const std::lock_guard lock(mutex_);
    auto* copy = find(table);
    if (copy == nullptr) return false;
    copy->schema_changed();
    changed_.notify_all();
    return copy->has_stale_rows();
}

bool Copier::copies(Oid32 table) const {
    const std::lock_guard lock(mutex_);
    const auto found = tables_.find(table);
    return found != tables_.end() && found->second.under_way();
}

Judgement Copier::judge(const fanout_change& change, std::uint32_t xid) {
    const std::lock_guard lock(mutex_);
    auto* copy = find(change.table->oid);
    if (copy == nullptr) return {Verdict::apply};
    auto judged = copy->judge(change, xid);
    if (judged.verdict == Verdict::unknown) {
        log::warning("copy begins anew: the table's key has changed",
                     {{"table", copy->request.schema + "." + copy->request.name}});
        copy->restart();
        changed_.notify_all();
        judged.verdict = copy->lenient ? Verdict::lenient : Verdict::drop;
    }
    return judged;
}

void Copier::transaction_is_void() {
    const std::lock_guard lock(mutex_);
    for (auto& [oid, copy] : tables_)
        copy.void_changes();
}

std::optional<std::uint64_t> Copier::truncate_waits_for(Oid32 table, std::uint32_t xid) {
    const std::lock_guard lock(mutex_);
    auto* copy = find(table);
    return copy == nullptr ? std::nullopt : copy->truncate_waits_for(xid);
}

bool Copier::truncated(Oid32 table, std::uint32_t xid) {
    const std::lock_guard lock(mutex_);
    auto* copy = find(table);
    if (copy == nullptr || !copy->under_way()) return true;
    copy->truncated(xid);
    changed_.notify_all();
    return copy->prepared || copy->lenient;
}

std::shared_ptr<Window> Copier::find_window(std::uint64_t id, TableCopy** owner) {
    for (auto& [oid, copy] : tables_) {
        const auto found = copy.windows.find(id);
        if (found == copy.windows.end()) continue;
        if (owner != nullptr) *owner = &copy;
        return found->second;
    }
    return nullptr;
}

void Copier::wait_for(std::uint64_t id) {
    const auto ready = [&] {
        const auto window = find_window(id);
        return window == nullptr || window->complete || !window->pieces.empty();
    };
    std::unique_lock lock(mutex_);
    lane_waits_for_ = id;
    changed_.notify_all();
    while (!*parts_.stop_requested && !changed_.wait_for(lock, kHoldMax, ready)) {
    }
    lane_waits_for_ = 0;
}

std::optional<std::uint64_t> Copier::any_open(Oid32 table) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [oid, copy] : tables_)
        if ((table == 0 || table == oid) && !copy.windows.empty())
            return copy.windows.begin()->first;
    return std::nullopt;
}

std::optional<Preparation> Copier::next_preparation() {
    const std::lock_guard lock(mutex_);
    for (const auto& [oid, copy] : tables_) {
        if (!copy.under_way() || copy.prepared || copy.mode == CopyMode::unknown ||
            copy.shape_from > lane_at_)
            continue;
        return Preparation{
            oid, copy.shape,
            !copy.lenient && !copy.needs_truncate && copy.request.on_nonempty == OnNonempty::error,
            copy.needs_truncate};
    }
    return std::nullopt;
}

void Copier::prepared(Oid32 table) {
    const std::lock_guard lock(mutex_);
    if (auto* copy = find(table); copy != nullptr) copy->is_prepared();
    news_ = turned_ = true;
    changed_.notify_all();
}

std::optional<Landing> Copier::next_landing(std::optional<std::uint64_t> only) {
    const std::lock_guard lock(mutex_);
    for (auto& [oid, copy] : tables_) {
        for (auto& [id, window] : copy.windows) {
            if (only && *only != id) continue;
            // Its end may be cut until it is complete, unless there is nothing behind it.
            const bool ready = window->complete || (window->in_pieces && !window->pieces.empty());
            if (!ready) continue;
            Landing landing{id,    oid,         window->shape, nullptr, window, copy.replaces(),
                            false, copy.touched};
            if (!window->pieces.empty()) {
                landing.piece = window->pieces.front();
                window->pieces_landed = true;  // from now on they may be
            }
            landing.last = window->complete && window->pieces.size() <= 1;
            return landing;
        }
    }
    return std::nullopt;
}

void Copier::landed(const Landing& landing, Lsn position) {
    {
        const std::lock_guard lock(mutex_);
        TableCopy* copy = nullptr;
        const auto window = find_window(landing.window, &copy);
        if (window == nullptr) return;
        if (landing.piece) {
            copy->rows += landing.piece->rows();
            copy->bytes += landing.piece->payload_bytes();
            window->pieces.pop_front();
        }
        copy->note_due = true;
        if (landing.last) copy->landed(*window, position);
        settle_states();
        news_ = true;
    }
    changed_.notify_all();
}

void Copier::pass(Lsn position) {
    {
        const std::lock_guard lock(mutex_);
        attention_ = false;
        lane_at_ = position;
        for (auto& [oid, copy] : tables_) {
            const bool was = copy.under_way();
            copy.pass(position);
            if (was && !copy.under_way()) news_ = turned_ = true;
        }
        settle_states();
    }
    changed_.notify_all();
}

std::optional<IndexTask> Copier::next_index(Lsn position) {
    const std::lock_guard lock(mutex_);
    for (auto& [oid, copy] : tables_) {
        if (copy.state != CopyState::indexing || copy.request.paused || copy.indexes == nullptr ||
            copy.indexes->read_at > position)
            continue;
        IndexTask task{oid, copy.shape, copy.indexes, copy.next_index,
                       copy.create_indexes == CreateIndexes::own_tables};
        copy.detail = "creating index " + task.index().name;
        news_ = turned_ = true;
        return task;
    }
    return std::nullopt;
}

void Copier::index_done(const IndexTask& task, const std::string& problem,
                        const std::string& remedy) {
    const std::lock_guard lock(mutex_);
    auto* copy = find(task.table);
    if (copy == nullptr || copy->indexes != task.of) return;
    copy->index_done(problem, remedy);
    settle_states();
    news_ = turned_ = true;
}

std::vector<std::pair<std::string, std::optional<std::string>>> Copier::due_notes() {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, std::optional<std::string>>> notes;
    for (const auto oid : gone_)
        notes.emplace_back(std::to_string(oid), std::nullopt);
    gone_.clear();
    for (auto& [oid, copy] : tables_) {
        if (!copy.note_due || copy.state == CopyState::gone) continue;
        copy.note_due = false;
        notes.emplace_back(std::to_string(oid), copy.note(parts_.subscription));
    }
    return notes;
}

bool Copier::has_due_notes() const {
    const std::lock_guard lock(mutex_);
    return !gone_.empty() || std::ranges::any_of(tables_, [](const auto& entry) {
        return entry.second.note_due && entry.second.state != CopyState::gone;
    });
}

/// The source has dropped it: no change of it matters any more. With mutex_.
void Copier::forget(TableCopy& copy) {
    copy.windows.clear();
    copy.ranges = RangeMap();
    copy.state = CopyState::gone;
    gone_.push_back(copy.request.table);
    settle_states();
    news_ = turned_ = true;
}

/// Nothing more is read while the rows that wait for the lane are large. With mutex_.
bool Copier::has_room() const {
    std::uint64_t bytes = 0, file_bytes = 0;
    for (const auto& [oid, copy] : tables_) {
        for (const auto& [id, window] : copy.windows) {
            for (const auto& piece : window->pieces) {
                bytes += piece->bytes();
                file_bytes += piece->file_bytes();
            }
        }
    }
    return file_bytes < kFileBytesMax &&
           bytes < std::max(kChunksBytesMax, windows_max() * options_.chunk_bytes);
}

/// Each reader that waits takes its snapshot now, or comes too late.
void Copier::hold() {
    std::unique_lock lock(mutex_);
    if (hold_.waiting == 0) return;
    hold_.on = true;
    ++hold_.number;
    hold_.expected = hold_.waiting;
    changed_.notify_all();
    changed_.wait_for(lock, kHoldMax,
                      [&] { return hold_.expected == 0 || stopping_ || *parts_.stop_requested; });
    hold_.on = false;
    settle_states();
    lock.unlock();
    changed_.notify_all();
}

std::vector<Report> Copier::reports() const {
    const std::lock_guard lock(mutex_);
    std::vector<Report> reports;
    for (const auto& [oid, copy] : tables_)
        if (copy.state != CopyState::gone) reports.push_back(copy.report());
    return reports;
}

}  // namespace fanout::backfill
