// Each kind of record, field by field.
#include "pg_extension/pg_version.hpp"
//
#include "pg_extension/plugin/ring_face.hpp"
//
#include "pg_extension/plugin/ring_record.hpp"
#include "pg_extension/plugin/tuple_encoder.hpp"

namespace fanout::plugin {

RingOutput* ring_output = nullptr;

namespace {

void begin_if_needed(RingFace* face, const ReorderBufferTXN* txn) {
    if (likely(face->begun)) return;
    const wire::BeginBody body{txn->end_lsn, server::commit_time(txn), txn->xid, txn->origin_id};
    put_record(face->output->ring, {wire::Kind::begin, 0, txn->final_lsn, 0}, sizeof body,
               [&](auto& out) { out.put(body); });
    face->begun = true;
}

wire::Kind kind_of(const ReorderBufferChange* change) {
    switch (change->action) {
        case REORDER_BUFFER_CHANGE_INSERT:
            return wire::Kind::insert;
        case REORDER_BUFFER_CHANGE_UPDATE:
            return wire::Kind::update;
        case REORDER_BUFFER_CHANGE_DELETE:
            return wire::Kind::remove;
        default:
            elog(ERROR, "unexpected change of kind %d", static_cast<int>(change->action));
            pg_unreachable();
    }
}

wire::OldImage old_image_kind(const RelationEntry* entry, HeapTuple old) {
    if (old == nullptr) return wire::OldImage::none;
    return entry->identity == wire::Identity::full ? wire::OldImage::full : wire::OldImage::key;
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
    FANOUT_FAULT_HERE("worker.transaction_begun");
}

void ring_announce(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry) {
    if (likely(entry->announced)) return;
    begin_if_needed(face, txn);
    const Size version_at = offsetof(wire::RelationBody, version);
    const Size version_end = version_at + sizeof entry->version;
    put_record(face->output->ring, {wire::Kind::relation, 0, txn->final_lsn, 0}, entry->body_size,
               [&](auto& out) {
                   out.put_bytes(entry->body, version_at);
                   out.put(entry->version);
                   out.put_bytes(entry->body + version_end, entry->body_size - version_end);
               });
    entry->announced = true;
}

void ring_row(RingFace* face, const ReorderBufferTXN* txn, RelationEntry* entry, Relation relation,
              const ReorderBufferChange* change) {
    if (face->index != 0) FANOUT_FAULT_HERE("worker.between_rows");
    begin_if_needed(face, txn);
    ring_announce(face, txn, entry);
    HeapTuple old_row = server::old_tuple(change);
    HeapTuple new_row = server::new_tuple(change);
    const wire::OldImage old_kind = old_image_kind(entry, old_row);
    const wire::RowBody body{entry->oid, entry->version, static_cast<uint8>(old_kind), {}};
    uint64 size = sizeof body;
    if (old_row != nullptr) {
        const auto kind = old_kind == wire::OldImage::full ? ImageKind::whole : ImageKind::key;
        size += find_values(entry, relation, old_row, kind, entry->found[0]);
    }
    if (new_row != nullptr) {
        size += find_values(entry, relation, new_row, ImageKind::whole, entry->found[1]);
    }
    put_record(face->output->ring, {kind_of(change), 0, txn->final_lsn, ++face->index}, size,
               [&](auto& out) {
                   out.put(body);
                   if (old_row != nullptr) write_values(out, entry, entry->found[0]);
                   if (new_row != nullptr) write_values(out, entry, entry->found[1]);
               });
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
    const wire::CommitBody body{txn->end_lsn, server::commit_time(txn), face->index};
    put_record(face->output->ring, {wire::Kind::commit, 0, txn->final_lsn, 0}, sizeof body,
               [&](auto& out) { out.put(body); });
    face->begun = false;
    face->output->progress->offer(txn->end_lsn);
    face->output->ring->publish();
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
