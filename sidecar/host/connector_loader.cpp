// dlopen, and the checks that decide whether a library is a connector of ours.
#include "sidecar/host/connector_loader.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace fanout::host {
namespace {

namespace fs = std::filesystem;

/// Empty if every call of the table is there and the descriptor can be shown.
std::string incomplete_part(const fanout_connector& c) {
    if (c.name == nullptr || *c.name == '\0') return "name";
    if (c.version == nullptr) return "version";
    if (c.summary == nullptr) return "summary";
    if (c.option_count != 0 && c.options == nullptr) return "options";
    if (c.create == nullptr) return "create";
    if (c.destroy == nullptr) return "destroy";
    if (c.open == nullptr) return "open";
    if (c.write == nullptr) return "write";
    if (c.flush == nullptr) return "flush";
    if (c.close == nullptr) return "close";
    if (c.interrupt == nullptr) return "interrupt";
    if (c.test == nullptr) return "test";
    if ((c.capabilities & FANOUT_CAP_NOTES) != 0 &&
        (c.put_note == nullptr || c.read_notes == nullptr))
        return "put_note or read_notes";
    if ((c.capabilities & FANOUT_CAP_FLUSH_AHEAD) != 0 && c.settle == nullptr) return "settle";
    return {};
}

}  // namespace

Result<ConnectorRegistry> ConnectorRegistry::load(const std::string& directory) {
    std::error_code error;
    fs::directory_iterator entries(directory, error);
    if (error)
        return Status::fatal("cannot read the connector directory " + directory + ": " +
                             error.message() + "; name the right one with --connector-dir");
    std::vector<std::string> paths;
    for (const auto& entry : entries)
        if (entry.path().extension() == ".so") paths.push_back(entry.path().string());
    std::sort(paths.begin(), paths.end());
    ConnectorRegistry registry;
    for (const auto& path : paths)
        registry.open_library(path);
    return registry;
}

void ConnectorRegistry::open_library(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        problems_.push_back(path + " cannot be opened: " + dlerror());
        return;
    }
    const auto entry =
        reinterpret_cast<fanout_connector_entry_fn>(dlsym(library, FANOUT_CONNECTOR_ENTRY));
    if (entry == nullptr) {
        problems_.push_back(path + " is not a connector: it has no " FANOUT_CONNECTOR_ENTRY);
        dlclose(library);
        return;
    }
    const fanout_connector* connector = entry();
    if (connector == nullptr || connector->abi != FANOUT_CONNECTOR_ABI) {
        problems_.push_back(path + " was built for connector ABI " +
                            (connector == nullptr ? "unknown" : std::to_string(connector->abi)) +
                            ", this fanoutd has " + std::to_string(FANOUT_CONNECTOR_ABI) +
                            "; install the connector of this version");
        return;
    }
    if (const auto part = incomplete_part(*connector); !part.empty()) {
        problems_.push_back(path + " is incomplete: its descriptor has no " + part);
        return;
    }
    if (find(connector->name) != nullptr) {
        problems_.push_back(path + " names itself \"" + connector->name +
                            "\", which another connector in the directory already does");
        return;
    }
    connectors_.push_back(connector);
}

const fanout_connector* ConnectorRegistry::find(const std::string& name) const {
    for (const auto* connector : connectors_)
        if (name == connector->name) return connector;
    return nullptr;
}

std::string ConnectorRegistry::names() const {
    std::string names;
    for (const auto* connector : connectors_) {
        names += names.empty() ? "" : ", ";
        names += connector->name;
    }
    return names.empty() ? "none" : names;
}

std::string default_connector_dir() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    const fs::path lib = program.parent_path().parent_path() / "lib";
    const fs::path installed = lib / "pg_fanout" / "connectors";
    if (fs::is_directory(installed, error)) return installed.string();
    const fs::path built = lib / "connectors";
    if (fs::is_directory(built, error)) return built.string();
    return installed.string();
}

}  // namespace fanout::host
