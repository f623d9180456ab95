// Fixes the settings that output functions depend on, so that the same change always gives the same
// bytes, whatever the server, database or role is configured to.
#pragma once

namespace fanout::plugin {

/// For the rest of the process (decoding worker, walsender) outside a transaction; inside one,
/// until unpin_settings() or the end of the transaction. Returns what unpin_settings() wants.
int pin_settings();
void unpin_settings(int nest_level);

}  // namespace fanout::plugin
