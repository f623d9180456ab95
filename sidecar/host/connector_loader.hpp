// Finds connectors in a directory and opens them.
//
// A file that is not a usable connector is a problem to report, not a reason to stop: the others
// still work, and a subscription that needs it fails with a message of its own. Libraries stay
// open until the process ends, because their code may still be on a thread's stack. One thread.
#pragma once

#include <string>
#include <vector>

#include "fanout/base/status.hpp"
#include "fanout/connector/abi.h"

namespace fanout::host {

class ConnectorRegistry {
  public:
    /// Opens every *.so in `directory`, in the order of their names. Fails only if the directory
    /// cannot be read.
    static Result<ConnectorRegistry> load(const std::string& directory);

    /// For tests and for connectors that are part of the program.
    void add(const fanout_connector* connector) { connectors_.push_back(connector); }

    /// Null if there is none of this name.
    const fanout_connector* find(const std::string& name) const;
    const std::vector<const fanout_connector*>& all() const { return connectors_; }
    const std::vector<std::string>& problems() const { return problems_; }

    /// "file, postgres, sqlite", for messages.
    std::string names() const;

  private:
    void open_library(const std::string& path);

    std::vector<const fanout_connector*> connectors_;
    std::vector<std::string> problems_;
};

/// Directory of connectors beside the running program: <bindir>/../lib/pg_fanout/connectors, or
/// <bindir>/../lib/connectors in a build tree.
std::string default_connector_dir();

}  // namespace fanout::host
