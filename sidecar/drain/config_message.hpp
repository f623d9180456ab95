// Subscription changes that travel in the stream: messages with prefix pg_fanout.config.
//
// They take effect exactly where they stand, for the worker's filter and for what the journal has
// to keep. Written by fanout.create_subscription() and drop_subscription().
#pragma once

#include <optional>

#include "fanout/base/ids.hpp"
#include "fanout/wire/record_reader.hpp"
#include "sidecar/journal/retention.hpp"

namespace fanout::drain {

/// A committed subscription change, seen in the stream.
struct SubscriptionNews {
    bool added = false;  // else dropped
    journal::SubscriptionId subscription = 0;
    Lsn commit_lsn = 0;  // of the transaction that made the change
};

/// Nothing for any other message, and for content that does not name a change.
std::optional<SubscriptionNews> read_config_message(const wire::RecordView& message);

}  // namespace fanout::drain
