// The table in the target that says how far a subscription is, and who may write.
//
// fanout_state.fanout_cursor: one row per subscription and stream identity, changed in the same
// transaction as the rows. Lane's thread. The cursor row is the only truth about the position.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "postgres/link/pipeline.hpp"
#include "postgres/link/session.hpp"

namespace fanout::postgres {

/// Texts of the host by name; no text: the note goes.
using Notes = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// Where the cursor row is. `groups` counts what was committed since it was opened: a group of
/// copied rows leaves the cursor where it was, and is one all the same.
struct CursorPlace {
    fanout_cursor cursor{};
    std::uint64_t groups = 0;
};

class CursorTable {
  public:
    /// Makes schema and table if they are missing, raises the row's epoch to ours, returns the
    /// position. Throws FANOUT_FENCED if the row has a newer epoch.
    fanout_cursor take_fence(Session& link, const fanout_session& owner);

    /// The statement that moves the cursor on from `previous`, all parameters text. It fails, and
    /// the transaction with it, once somebody else has the fence or the row is elsewhere:
    /// is_fenced() tells that failure from others. Its second and third column are those of
    /// positions_sql().
    static Statement advance_statement();
    /// How far the target's WAL is inserted, and flushed; 0/0 if that alone is not durable there,
    /// because standbys have to confirm.
    static const char* positions_sql();
    static bool is_fenced(const SqlError& error);
    std::vector<TextParameter> advance_parameters(const fanout_cursor& cursor,
                                                  const CursorPlace& previous) const;
    [[noreturn]] void throw_fenced() const;

    /// Notes of the host, changed in the same transaction; parameters text.
    static const char* put_note_sql();
    static const char* remove_note_sql();
    std::vector<TextParameter> note_parameters(const std::string& name,
                                               const std::optional<std::string>& text) const;
    std::vector<std::pair<std::string, std::string>> read_notes(Session& link) const;

  private:
    static void create_if_missing(Session& link);
    std::string subscription_, stream_identity_, epoch_, opened_;
};

}  // namespace fanout::postgres
