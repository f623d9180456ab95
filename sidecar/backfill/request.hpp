// What the catalog asks for, and what is told back. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"

namespace fanout::backfill {

enum class OnNonempty : std::uint8_t { error, truncate, upsert };

/// At which tables of the target the source's secondary indexes are made: those that the connector
/// has made itself, or whichever.
enum class CreateIndexes : std::uint8_t { never, own_tables, any_table };

/// One table of one subscription.
struct Request {
    Oid32 table = 0;
    std::string schema, name;
    std::uint32_t generation = 1;              // raised by each resync
    std::string predicate;                     // SQL, of a resync; empty: every row
    std::string filter;                        // SQL, of the subscription; empty: every row
    std::vector<std::string> columns;          // of the subscription; empty: all
    std::map<std::string, std::string> masks;  // of the subscription, by column
    OnNonempty on_nonempty = OnNonempty::error;
    bool paused = false;
    bool cancelled = false;
    friend bool operator==(const Request&, const Request&) = default;
};

struct Options {
    bool backfill = false;  // copy tables that the stream meets first, too
    unsigned workers = 2;
    std::uint64_t rows_per_second = 0, bytes_per_second = 0;  // 0: no limit
    std::uint64_t chunk_bytes = 0;                            // 0: by the number of workers
    OnNonempty on_nonempty = OnNonempty::error;
    CreateIndexes create_indexes = CreateIndexes::never;
    friend bool operator==(const Options&, const Options&) = default;
};

struct Plan {
    Options options;
    std::vector<Request> requests;
    friend bool operator==(const Plan&, const Plan&) = default;
};

/// One table's copy, as it is told.
struct Report {
    Request request;
    std::string state, mode, detail, last_error, last_error_hint;
    std::uint64_t rows = 0, bytes = 0, chunks = 0, retries = 0;
    double rows_estimate = -1, bytes_estimate = -1;
    std::chrono::system_clock::time_point started_at{}, finished_at{};
    double snapshot_held_seconds = -1;
};

}  // namespace fanout::backfill
