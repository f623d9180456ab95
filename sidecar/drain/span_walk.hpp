// Walks the bytes a ring holds, record by record, and plans what of them goes to the journal.
//
// Drain thread only; one per attachment. Every record is verified here (frame, checksum, epoch,
// grammar) before the worker may ever hear that it is safe. Left out are records that the journal
// has already: a worker starts at the last durable end, which may lie before the journal's end.
// Allocates nothing per record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "sidecar/drain/config_message.hpp"
#include "sidecar/journal/journal.hpp"

namespace fanout::drain {

class SpanWalk {
  public:
    explicit SpanWalk(std::uint32_t epoch) : epoch_(epoch) {}

    /// Plans the append of a stretch from the start of `bytes`, beginning in stream state `state`.
    /// Ends at the first transaction boundary if one is wanted, else at the first behind a useful
    /// size. False: a record is refused, see refusal(); the plan then holds what came before it.
    bool plan(wire::Bytes bytes, const journal::StreamState& state, bool boundary_wanted);

    const journal::AppendPlan& append() const { return append_; }
    /// How much of `bytes` the plan covers, records left out included.
    std::size_t consumed() const { return consumed_; }
    /// Subscription changes that were committed in the stretch.
    const std::vector<SubscriptionNews>& news() const { return news_; }
    /// End of the last transaction in the stretch that was left out; 0 = none.
    Lsn skipped_end_lsn() const { return skipped_end_lsn_; }
    std::uint64_t records() const { return records_; }
    std::uint64_t transactions_skipped() const { return transactions_skipped_; }
    const std::string& refusal() const { return refusal_; }

  private:
    enum class Fate : std::uint8_t { keep, skip };

    bool walk(wire::Bytes bytes, const journal::StreamState& state, bool boundary_wanted);
    Fate fate_of(const wire::RecordView& record);
    Fate fate_of_piece(const wire::RecordView& record);
    Fate fate_of_start(wire::Kind kind, std::uint8_t flags, Lsn lsn);
    bool take(const wire::RecordView& record);
    void keep_bytes(wire::Bytes record);
    void note(const wire::RecordView& record);
    bool refuse(const wire::RecordView* record, const char* why);

    const std::uint32_t epoch_;
    bool skipping_transaction_ = false;
    bool skipping_group_ = false;
    journal::AppendPlan append_;
    std::size_t consumed_ = 0;
    std::vector<SubscriptionNews> open_news_;  // of the transaction that has not committed yet
    std::vector<SubscriptionNews> news_;
    Lsn skipped_end_lsn_ = 0;
    std::uint64_t records_ = 0;
    std::uint64_t transactions_skipped_ = 0;
    std::uint64_t bytes_before_ = 0;  // of earlier stretches, for messages
    std::string refusal_;
};

}  // namespace fanout::drain
