// Each kind of record, field by field.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/ring_face.hpp"
//
#include "fanout/wire/ddl_format.hpp"
#include "pg_extension/plugin/ring_record.hpp"
#include "pg_extension/plugin/row_choice.hpp"
#include "pg_extension/plugin/tuple_encoder.hpp"
#include "pg_extension/values/utf8_text.hpp"

namespace fanout::plugin {

RingOutput* ring_output = nullptr;

namespace {

constexpr int kUnjudgedTextBytesMax = 1024;
constexpr uint64 kRowBytesMax =
    wire::kWholeRecordBytesMax - sizeof(wire::RecordHeader) - wire::kAlignment;

void begin_if_needed(RingFace* face, const ReorderBufferTXN* txn) {
    if (likely(face->begun)) return;
    const wire::BeginBody body{txn->end_lsn, server::commit_time(txn), txn->xid, txn->origin_id};
    put_record(face->output->ring, {wire::Kind::begin, 0, txn->final_lsn, 0}, sizeof body,
               [&](auto& out) { out.put(body); });
    face->begun = true;
}

wire::Kind insert_kind(const RingFace* face) {
    return face->rewritten ? wire::Kind::rewritten : wire::Kind::insert;
}

wire::Kind kind_of(const RingFace* face, const ReorderBufferChange* change) {
    switch (change->action) {
        case REORDER_BUFFER_CHANGE_INSERT:
            return insert_kind(face);
        case REORDER_BUFFER_CHANGE_UPDATE:
            return wire::Kind::update;
        case REORDER_BUFFER_CHANGE_DELETE:
            return wire::Kind::remove;
        default:
            elog(ERROR, "unexpected change of kind %d", static_cast<int>(change->action));
            pg_unreachable();
    }
}

wire::OldImage kind_of_image(const Projection* projection, const RowImage* before) {
    if (before == nullptr) return wire::OldImage::none;
    return projection->identity == wire::Identity::full ? wire::OldImage::full
                                                        : wire::OldImage::key;
}

uint64 find_images(const Projection* projection, const RowImage* before, const RowImage* after) {
    uint64 size = 0;
    if (before != nullptr) {
        const auto part = kind_of_image(projection, before) == wire::OldImage::full
                              ? ImageKind::whole
                              : ImageKind::key;
        size += find_values(projection, *before, part, projection->found[0]);
    }
    if (after != nullptr) {
        size += find_values(projection, *after, ImageKind::whole, projection->found[1]);
    }
    return size;
}

/// Calls `use`, which may raise. Not null: why the row is to blame.
template <typename Use>
const char* complaint_of(const Use& use) {
    MemoryContext caller = CurrentMemoryContext;
    const char* volatile complaint = nullptr;
    PG_TRY();
    { use(); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        ErrorData* error = CopyErrorData();
        if (!is_of_the_row(error->sqlerrcode)) PG_RE_THROW();
        // What it may still hold ends with the transaction, which decoding always ends by an abort.
        FlushErrorState();
        complaint = error->message != nullptr ? error->message : "";
    }
    PG_END_TRY();
    return complaint;
}

const char* cut_text(const char* text) {
    const int size = pg_mbcliplen(text, static_cast<int>(strlen(text)), kUnjudgedTextBytesMax);
    return name_to_utf8(pnstrdup(text, static_cast<Size>(size)));
}

void put_named_row(RingFace* face, const ReorderBufferTXN* txn, const RelationEntry* entry,
                   const Projection* projection, uint8 flags, const char* complaint,
                   const char* key) {
    // The server's text may show a value that is masked.
    const char* error = projection->masks
                            ? "the error's text is not shown, for values of the table are masked"
                            : cut_text(complaint);
    const char* name = cut_text(key);
    const Size error_size = strlen(error);
    const Size name_size = strlen(name);
    const wire::UnjudgedBody body{entry->oid, projection->version};
    put_record(face->output->ring, {wire::Kind::unjudged, flags, txn->final_lsn, ++face->index},
               sizeof body + 2 * sizeof(uint16) + error_size + name_size, [&](auto& out) {
                   out.put(body);
                   out.put_text({error, error_size});
                   out.put_text({name, name_size});
               });
}

/// A row that cannot be carried must not end the worker, which would meet it again for ever.
void put_unreadable(RingFace* face, const ReorderBufferTXN* txn, const RelationEntry* entry,
                    const Projection* projection, const RowChoice& choice, const char* complaint) {
    const char* volatile shown = nullptr;
    const char* nameless = complaint_of([&] { shown = describe_key(projection, choice); });
    put_named_row(face, txn, entry, projection, wire::kFlagUnreadable, complaint,
                  nameless == nullptr ? shown : "whose key cannot be read either");
}

void put_row(RingFace* face, const ReorderBufferTXN* txn, const RelationEntry* entry,
             const Projection* projection, wire::Kind kind, const RowImage* before,
             const RowImage* after) {
    volatile uint64 found = 0;
    const char* complaint = nullptr;
    if (unlikely(projection->calls_output)) {
        complaint = complaint_of([&] { found = find_images(projection, before, after); });
    } else {
        found = find_images(projection, before, after);
    }
    const wire::RowBody body{
        entry->oid, projection->version, static_cast<uint8>(kind_of_image(projection, before)), {}};
    const uint64 size = sizeof body + found;
    if (unlikely(complaint == nullptr && size > kRowBytesMax)) {
        complaint = psprintf("it takes " UINT64_FORMAT " bytes, more than a record can have", size);
    }
    if (unlikely(complaint != nullptr)) {
        const RowChoice choice{RowChoice::Kind::unjudged, before, after};
        return put_unreadable(face, txn, entry, projection, choice, complaint);
    }
    put_record(face->output->ring, {kind, 0, txn->final_lsn, ++face->index}, size, [&](auto& out) {
        out.put(body);
        if (before != nullptr) write_values(out, projection, projection->found[0]);
        if (after != nullptr) write_values(out, projection, projection->found[1]);
    });
}

/// Counts a row that a projection leaves out; put_filtered() tells before the commit.
void count_filtered(RingFace* face, const RelationEntry* entry, Projection* projection) {
    if (projection->counted_serial != face->serial) {
        if (face->filtered_count == face->filtered_room) {
            face->filtered_room = Max(16, face->filtered_room * 2);
            const Size size = face->filtered_room * sizeof(wire::FilteredCount);
            face->filtered = static_cast<wire::FilteredCount*>(
                face->filtered == nullptr ? MemoryContextAlloc(TopMemoryContext, size)
                                          : repalloc(face->filtered, size));
        }
        projection->counted_serial = face->serial;
        projection->counted_place = face->filtered_count;
        face->filtered[face->filtered_count++] = {entry->oid, projection->version, 0};
    }
    ++face->filtered[projection->counted_place].rows;
}

void put_filtered(RingFace* face, const ReorderBufferTXN* txn) {
    const wire::FilteredBody body{face->filtered_count, 0};
    put_record(face->output->ring, {wire::Kind::filtered, 0, txn->final_lsn, 0},
               sizeof body + face->filtered_count * sizeof(wire::FilteredCount), [&](auto& out) {
                   out.put(body);
                   out.put_bytes(face->filtered,
                                 face->filtered_count * sizeof(wire::FilteredCount));
               });
    face->filtered_count = 0;
}

/// A row of which nobody can say whether it is wanted: its subscriptions have to know which.
void put_unjudged(RingFace* face, const ReorderBufferTXN* txn, const RelationEntry* entry,
                  const Projection* projection, const RowChoice& choice) {
    put_named_row(face, txn, entry, projection, 0, projection->predicate->error,
                  describe_key(projection, choice));
}

void put_chosen(RingFace* face, const ReorderBufferTXN* txn, const RelationEntry* entry,
                Projection* projection, const RowChoice& choice) {
    switch (choice.kind) {
        case RowChoice::Kind::none:
            return count_filtered(face, entry, projection);
        case RowChoice::Kind::unjudged:
            return put_unjudged(face, txn, entry, projection, choice);
        case RowChoice::Kind::insert:
            return put_row(face, txn, entry, projection, insert_kind(face), nullptr, choice.after);
        case RowChoice::Kind::update:
            return put_row(face, txn, entry, projection, wire::Kind::update, choice.before,
                           choice.after);
        case RowChoice::Kind::remove:
            return put_row(face, txn, entry, projection, wire::Kind::remove, choice.before,
                           nullptr);
    }
}

void put_projections(RingFace* face, const ReorderBufferTXN* txn, const RelationEntry* entry,
                     const RowChange& row) {
    for (Projection* it = entry->projections; it != nullptr; it = it->next) {
        if (it->wanted) put_chosen(face, txn, entry, it, choose_row(it, row));
    }
}

}  // namespace

void refuse_record_size(uint64 size) {
    ereport(ERROR,
            (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
             errmsg("a change takes " UINT64_FORMAT " bytes, more than a record can have", size),
             errhint("Leave the table out of every subscription of the stream.")));
    pg_unreachable();
}

void ring_begin(RingFace* face) {
    face->begun = false;
    face->index = 0;
    face->filtered_count = 0;
    ++face->serial;
    FANOUT_FAULT_HERE("worker.transaction_begun");
}

void ring_announce(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry) {
    if (likely(entry->announced)) return;
    begin_if_needed(face, txn);
    const Size version_at = offsetof(wire::RelationBody, version);
    const Size version_end = version_at + sizeof(uint32);
    for (const Projection* it = entry->projections; it != nullptr; it = it->next) {
        put_record(face->output->ring, {wire::Kind::relation, it->record_flags, txn->final_lsn, 0},
                   it->body_size, [&](auto& out) {
                       out.put_bytes(it->body, version_at);
                       out.put(it->version);
                       out.put_bytes(it->body + version_end, it->body_size - version_end);
                   });
    }
    entry->announced = true;
}

void ring_row(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry, Relation relation,
              const ReorderBufferChange* change, bool rewritten) {
    if (face->index != 0) FANOUT_FAULT_HERE("worker.between_rows");
    begin_if_needed(face, txn);
    ring_announce(face, txn, entry);
    const RowChange row = deform_change(entry, relation, change);
    face->rewritten = rewritten;
    if (likely(!entry->selective)) {
        put_row(face, txn, entry, entry->projections, kind_of(face, change), row.before, row.after);
        return;
    }
    put_projections(face, txn, entry, row);
    for (const Above* above = entry->above; above != nullptr; above = above->next) {
        ring_announce(face, txn, above->entry);
        put_projections(face, txn, above->entry, as_above(above, row));
    }
}

void ring_stop(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry,
               const char* reason) {
    begin_if_needed(face, txn);
    StringInfoData body;
    initStringInfo(&body);
    put_refusal(&body, *entry, reason);
    put_record(face->output->ring, {wire::Kind::relation, wire::kFlagReasons, txn->final_lsn, 0},
               static_cast<uint64>(body.len),
               [&](auto& out) { out.put_bytes(body.data, static_cast<Size>(body.len)); });
    // Those who go on get rows again: the next one announces the table as it is.
    entry->announced = false;
}

void ring_truncate(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* const* entries,
                   uint32 count, const ReorderBufferChange* change) {
    begin_if_needed(face, txn);
    for (uint32 i = 0; i < count; ++i)
        ring_announce(face, txn, entries[i]);
    const auto flags =
        static_cast<uint8>((change->data.truncate.cascade ? wire::kFlagCascade : 0) |
                           (change->data.truncate.restart_seqs ? wire::kFlagRestartIdentity : 0));
    const wire::TruncateBody body{count, 0};
    put_record(face->output->ring, {wire::Kind::truncate, flags, txn->final_lsn, ++face->index},
               sizeof body + count * sizeof(Oid), [&](auto& out) {
                   out.put(body);
                   for (uint32 i = 0; i < count; ++i)
                       out.put(entries[i]->oid);
               });
}

void ring_ddl(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry,
              const DdlEvent& read) {
    DdlEvent event = read;
    for (const char** text :
         {&event.schema, &event.name, &event.new_schema, &event.new_name, &event.column,
          &event.new_column, &event.before, &event.after, &event.statement})
        *text = name_to_utf8(*text);
    if (event.missing != nullptr) event.missing = name_to_utf8(event.missing);
    begin_if_needed(face, txn);
    if (entry != nullptr) ring_announce(face, txn, entry);
    const auto size_of = [](const char* text) { return static_cast<uint32>(strlen(text)); };
    const uint32 missing_size =
        event.missing != nullptr ? size_of(event.missing) : wire::kNoMissing;
    const wire::DdlBody body{event.relation,
                             static_cast<uint8>(event.kind),
                             0,
                             event.wanted_count,
                             size_of(event.before),
                             size_of(event.after),
                             size_of(event.statement),
                             missing_size};
    const char* const names[] = {event.schema,   event.name,   event.new_schema,
                                 event.new_name, event.column, event.new_column};
    uint64 size = sizeof body + event.wanted_count * sizeof(uint32) + body.before_size +
                  body.after_size + body.statement_size;
    if (event.missing != nullptr) size += body.missing_size;
    for (const char* name : names)
        size += sizeof(uint16) + size_of(name);
    const uint8 flags = event.first_rows ? wire::kFlagFirstRows : 0;
    put_record(face->output->ring, {wire::Kind::ddl, flags, txn->final_lsn, ++face->index}, size,
               [&](auto& out) {
                   out.put(body);
                   for (const char* name : names)
                       out.put_text(name);
                   out.put_bytes(event.wanted, event.wanted_count * sizeof(uint32));
                   out.put_bytes(event.before, body.before_size);
                   out.put_bytes(event.after, body.after_size);
                   if (event.missing != nullptr) out.put_bytes(event.missing, body.missing_size);
                   out.put_bytes(event.statement, body.statement_size);
               });
}

void ring_sequence(RingFace* face, const ReorderBufferTXN* txn, const SequenceEvent& event) {
    const char* schema = name_to_utf8(event.schema);
    const char* name = name_to_utf8(event.name);
    begin_if_needed(face, txn);
    const wire::SequenceBody body{event.subscription, event.is_called ? 0U : 1U, event.last_value,
                                  event.increment};
    const uint64 size = sizeof body + 2 * sizeof(uint16) + strlen(schema) + strlen(name);
    put_record(face->output->ring, {wire::Kind::sequence, 0, txn->final_lsn, ++face->index}, size,
               [&](auto& out) {
                   out.put(body);
                   out.put_text(schema);
                   out.put_text(name);
               });
}

void ring_message(RingFace* face, const ReorderBufferTXN* txn, XLogRecPtr lsn, const char* prefix,
                  const char* content, Size size) {
    RecordStart start{wire::Kind::message, 0, lsn, 0};
    if (txn != nullptr) {
        begin_if_needed(face, txn);
        start = {wire::Kind::message, wire::kFlagTransactional, txn->final_lsn, ++face->index};
    }
    const wire::MessageBody body{static_cast<uint32>(strlen(prefix)), static_cast<uint32>(size)};
    put_record(face->output->ring, start, sizeof body + body.prefix_size + size, [&](auto& out) {
        out.put(body);
        out.put_bytes(prefix, body.prefix_size);
        out.put_bytes(content, size);
    });
    if (txn == nullptr) face->output->ring->publish();
}

void ring_commit(RingFace* face, const ReorderBufferTXN* txn) {
    if (!face->begun) return;
    // Nobody waits for a count of rows that were left out.
    const bool only_counts = face->filtered_count != 0 && face->index == 0;
    if (face->filtered_count != 0) put_filtered(face, txn);
    const wire::CommitBody body{txn->end_lsn, server::commit_time(txn), face->index};
    put_record(face->output->ring, {wire::Kind::commit, 0, txn->final_lsn, 0}, sizeof body,
               [&](auto& out) { out.put(body); });
    face->begun = false;
    face->output->progress->offer(txn->end_lsn);
    if (!only_counts) face->output->ring->publish();
    FANOUT_FAULT_HERE("worker.commit_published");
}

void ring_keepalive(worker::RingProducer* ring, XLogRecPtr lsn, bool report_requested) {
    const wire::KeepaliveBody body{GetCurrentTimestamp()};
    const uint8 flags = report_requested ? wire::kFlagReportRequested : 0;
    put_record(ring, {wire::Kind::keepalive, flags, lsn, 0}, sizeof body,
               [&](auto& out) { out.put(body); });
    ring->publish();
}

}  // namespace fanout::plugin
