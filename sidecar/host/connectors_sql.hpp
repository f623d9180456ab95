// The connectors found, as text for others: SQL for the extension's install script, JSON for the
// catalog. Both come from the descriptors alone.
#pragma once

#include <string>

#include "sidecar/host/connector_loader.hpp"

namespace fanout::host {

/// One INSERT INTO fanout.connector_def per connector.
std::string connectors_sql(const ConnectorRegistry& registry);

/// [{"name","version","summary","capabilities":[…],"options":[…]}]
std::string connectors_json(const ConnectorRegistry& registry);

}  // namespace fanout::host
