// What differs between PostgreSQL 13 and 18, and nothing else: the only file that asks for a
// version. Everything here is a thin inline function with one meaning in every version.
//
// 15 is built and tested; the other branches follow the headers of their versions.
#pragma once

#include "pg_extension/pg.hpp"

#if PG_VERSION_NUM < 140000
#define PG_LSNOID LSNOID
#endif

namespace fanout::server {

inline HeapTuple new_tuple(const ReorderBufferChange* change) {
#if PG_VERSION_NUM >= 170000
    return change->data.tp.newtuple;
#else
    return change->data.tp.newtuple != nullptr ? &change->data.tp.newtuple->tuple : nullptr;
#endif
}

inline HeapTuple old_tuple(const ReorderBufferChange* change) {
#if PG_VERSION_NUM >= 170000
    return change->data.tp.oldtuple;
#else
    return change->data.tp.oldtuple != nullptr ? &change->data.tp.oldtuple->tuple : nullptr;
#endif
}

inline TimestampTz commit_time(const ReorderBufferTXN* txn) {
#if PG_VERSION_NUM >= 150000
    return txn->xact_time.commit_time;
#else
    return txn->commit_time;
#endif
}

inline void acquire_slot(const char* name) {
#if PG_VERSION_NUM >= 180000
    ReplicationSlotAcquire(name, true, true);
#elif PG_VERSION_NUM >= 140000
    ReplicationSlotAcquire(name, true);
#else
    ReplicationSlotAcquire(name, SAB_Error);
#endif
}

/// Creates an ephemeral logical slot; ReplicationSlotPersist() makes it stay.
inline void create_slot(const char* name) {
#if PG_VERSION_NUM >= 170000
    ReplicationSlotCreate(name, true, RS_EPHEMERAL, false, false, false);
#elif PG_VERSION_NUM >= 140000
    ReplicationSlotCreate(name, true, RS_EPHEMERAL, false);
#else
    ReplicationSlotCreate(name, true, RS_EPHEMERAL);
#endif
}

inline XLogRecPtr flushed_lsn(TimeLineID* timeline) {
#if PG_VERSION_NUM >= 150000
    return GetFlushRecPtr(timeline);
#else
    *timeline = ThisTimeLineID;
    return GetFlushRecPtr();
#endif
}

inline TimeLineID current_timeline() {
    TimeLineID timeline = 0;
    (void)flushed_lsn(&timeline);
    return timeline;
}

inline void determine_timeline(XLogReaderState* reader, XLogRecPtr page, int length,
                               [[maybe_unused]] TimeLineID timeline) {
#if PG_VERSION_NUM >= 150000
    XLogReadDetermineTimeline(reader, page, static_cast<uint32>(length), timeline);
#else
    XLogReadDetermineTimeline(reader, page, static_cast<uint32>(length));
#endif
}

inline bool read_wal(XLogReaderState* reader, char* buffer, XLogRecPtr start, Size count,
                     TimeLineID timeline, WALReadError* error) {
    return WALRead(reader, buffer, start, count, timeline, error);
}

/// False when the slot has lost the WAL it needs.
inline bool slot_is_usable(const ReplicationSlot* slot) {
#if PG_VERSION_NUM >= 160000
    return slot->data.invalidated == RS_INVAL_NONE;
#else
    return slot->data.restart_lsn != InvalidXLogRecPtr;
#endif
}

inline WaitEventSet* create_wait_set(int events) {
#if PG_VERSION_NUM >= 170000
    return CreateWaitEventSet(nullptr, events);
#else
    return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

/// Flushes too, so that decoders see the message at once.
inline XLogRecPtr emit_flushed_message(const char* prefix, const char* text, Size size) {
#if PG_VERSION_NUM >= 170000
    const XLogRecPtr lsn = LogLogicalMessage(prefix, text, size, false, true);
#else
    const XLogRecPtr lsn = LogLogicalMessage(prefix, text, size, false);
#endif
    XLogFlush(lsn);
    return lsn;
}

/// Of `first` and then `second`.
inline void sha256(const uint8* first, Size first_size, const uint8* second, Size second_size,
                   uint8 (&digest)[PG_SHA256_DIGEST_LENGTH]) {
#if PG_VERSION_NUM >= 140000
    pg_cryptohash_ctx* context = pg_cryptohash_create(PG_SHA256);
    if (pg_cryptohash_init(context) < 0 || pg_cryptohash_update(context, first, first_size) < 0 ||
        pg_cryptohash_update(context, second, second_size) < 0 ||
        pg_cryptohash_final(context, digest, sizeof digest) < 0) {
        pg_cryptohash_free(context);
        elog(ERROR, "could not compute a SHA-256");
    }
    pg_cryptohash_free(context);
#else
    pg_sha256_ctx context;
    pg_sha256_init(&context);
    pg_sha256_update(&context, first, first_size);
    pg_sha256_update(&context, second, second_size);
    pg_sha256_final(&context, digest);
#endif
}

/// Bytes of `text` that were taken, 0 if its first character has no UTF-8 form. A character that
/// `size` cuts is left for the next piece. `out` has room for MAX_CONVERSION_GROWTH times as much,
/// and is terminated.
inline Size convert_to_utf8(Oid function, const char* text, Size size, char* out) {
    auto* from = reinterpret_cast<unsigned char*>(const_cast<char*>(text));
    auto* to = reinterpret_cast<unsigned char*>(out);
    const int length = static_cast<int>(size);
#if PG_VERSION_NUM >= 140000
    const int room = length * MAX_CONVERSION_GROWTH + MAX_CONVERSION_GROWTH + 1;
    const int taken = pg_do_encoding_conversion_buf(function, GetDatabaseEncoding(), PG_UTF8, from,
                                                    length, to, room, true);
    return static_cast<Size>(taken);
#else
    const int whole = pg_mbcliplen(text, length, length);
    volatile int taken = 0;
    MemoryContext caller = CurrentMemoryContext;
    PG_TRY();
    {
        (void)OidFunctionCall5(function, Int32GetDatum(GetDatabaseEncoding()),
                               Int32GetDatum(PG_UTF8), CStringGetDatum(from), CStringGetDatum(to),
                               Int32GetDatum(whole));
        taken = whole;
    }
    PG_CATCH();
    {
        // A conversion holds nothing that outlives its call.
        MemoryContextSwitchTo(caller);
        FlushErrorState();
    }
    PG_END_TRY();
    return static_cast<Size>(taken);
#endif
}

/// Calls `walker` on the children of `node`.
inline bool walk_children(Node* node, bool (*walker)(Node*, void*), void* state) {
#if PG_VERSION_NUM >= 160000
    return expression_tree_walker_impl(node, walker, state);
#else
    // Declared without its parameters, as old C has it.
    using Untyped = bool (*)();
    return expression_tree_walker(
        node, reinterpret_cast<Untyped>(reinterpret_cast<void (*)()>(walker)), state);
#endif
}

/// The statements in `text`, not analysed yet.
inline List* parse_statements(const char* text) {
#if PG_VERSION_NUM >= 140000
    return raw_parser(text, RAW_PARSE_DEFAULT);
#else
    return raw_parser(text);
#endif
}

/// May `role` read the whole table?
inline bool may_select(Oid relation, Oid role) {
    return pg_class_aclcheck(relation, role, ACL_SELECT) == ACLCHECK_OK;
}

/// Stored in the heap and therefore in the tuple (a virtual generated column is not).
inline bool is_stored(Form_pg_attribute attribute) {
    return attribute->attgenerated == '\0' || attribute->attgenerated == 's';
}

/// Invalid if there is none.
inline Oid primary_key_index(Relation relation) {
    if (!relation->rd_indexvalid) list_free(RelationGetIndexList(relation));
    return relation->rd_pkindex;
}

/// Length of the base64 text in `out`, negative if `room` does not suffice.
inline int encode_base64(const char* data, int size, char* out, int room) {
#if PG_VERSION_NUM >= 180000
    return pg_b64_encode(reinterpret_cast<const uint8*>(data), size, out, room);
#else
    return pg_b64_encode(data, size, out, room);
#endif
}

inline bool owns_extension(Oid extension) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(ExtensionRelationId, extension, GetUserId());
#else
    return pg_extension_ownercheck(extension, GetUserId());
#endif
}

/// Whole transactions only: neither streamed in progress nor two-phase.
inline void decode_whole_transactions([[maybe_unused]] LogicalDecodingContext* context) {
#if PG_VERSION_NUM >= 140000
    context->streaming = false;
    context->twophase = false;
#endif
}

/// Backends that have begun to write a commit record and have not yet told the commit log.
inline VirtualTransactionId* committing_now(int* count) {
#if PG_VERSION_NUM >= 150000
    return GetVirtualXIDsDelayingChkpt(count, DELAY_CHKPT_START);
#else
    return GetVirtualXIDsDelayingChkpt(count);
#endif
}

inline bool still_committing(VirtualTransactionId* backends, int count) {
#if PG_VERSION_NUM >= 150000
    return HaveVirtualXIDsDelayingChkpt(backends, count, DELAY_CHKPT_START);
#else
    return HaveVirtualXIDsDelayingChkpt(backends, count);
#endif
}

/// The server's own macro compares numbers of different signs.
inline bool is_compressed_in_toast(const struct varatt_external& pointer) {
#if PG_VERSION_NUM >= 140000
    const auto stored = static_cast<int32>(VARATT_EXTERNAL_GET_EXTSIZE(pointer));
#else
    const int32 stored = pointer.va_extsize;
#endif
    return stored < pointer.va_rawsize - VARHDRSZ;
}

/// Top transactions that have not left the list of running ones. A snapshot does not name them all:
/// it leaves out those that are newer than any that has ended, for it takes them as running anyway.
/// The list lasts until the next call in this process.
inline const TransactionId* running_now(int* count) {
    const RunningTransactions running = GetRunningTransactionData();
    LWLockRelease(ProcArrayLock);
    LWLockRelease(XidGenLock);
    *count = running->xcnt;
    return running->xids;
}

/// 17 and later: a failover slot must not run ahead of the standbys that are to take over.
inline void wait_for_standbys([[maybe_unused]] XLogRecPtr lsn) {
#if PG_VERSION_NUM >= 170000
    WaitForStandbyConfirmation(lsn);
#endif
}

}  // namespace fanout::server
