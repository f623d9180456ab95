// The changes of one subscription that were put aside because its target will not have them: a file
// each in the state directory, durable before the lane's cursor passes them.
//
//   letters/<subscription id>/<commit LSN>-<index>.letter   a line of JSON, then the records' bytes
//
// The lane writes, the control thread reads what to report; a mutex stands between. The bytes of
// the records are opaque here.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/base/status.hpp"

namespace fanout::letters {

struct Letter {
    Position at;
    PgTime commit_time = 0;
    std::uint32_t xid = 0;
    Oid32 table = 0;
    std::string schema_name, table_name, operation;
    std::string error, hint;
    std::int64_t parked_at = 0;  // microseconds since 1970
    std::uint32_t attempts = 1;
    bool is_row = true;  // counts among the rows
    /// What delivering it later needs: the change as it came and its table's shape. Empty if it was
    /// too large to keep.
    std::uint32_t epoch = 0;
    std::vector<std::uint8_t> relation, change;
};

class DeadLetters {
  public:
    DeadLetters(const std::string& state_directory, std::uint32_t subscription);

    // ---- lane thread

    /// Reads what earlier runs have put aside. corruption: a file is not what was written.
    Status load();
    bool has(const Position& at) const;
    /// The highest position that is kept; zero if none.
    Position last() const;
    std::optional<Letter> find(const Position& at) const;
    /// Durable when it returns.
    Status put(Letter letter);

    // ---- any thread

    /// Those that are rows.
    std::uint64_t rows_parked() const;
    std::size_t parked() const;
    /// Letters put since `version`, without their records; `version` becomes the present one.
    std::vector<Letter> changed_since(std::uint64_t& version) const;
    /// The subscription is gone, and they with it.
    void remove_all();

  private:
    struct Entry {
        Letter letter;  // without its records
        std::uint64_t version = 0;
    };
    std::string path_of(const Position& at) const;

    const std::string directory_;
    mutable std::mutex mutex_;
    std::map<Position, Entry> entries_;
    std::uint64_t version_ = 0;
};

}  // namespace fanout::letters
