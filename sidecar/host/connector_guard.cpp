// Every call goes through guarded(): error buffer in, Outcome out.
#include "sidecar/host/connector_guard.hpp"

#include <cstring>
#include <exception>

#include "sidecar/observe/log.hpp"

namespace fanout::host {
namespace {

/// A C connector may forget the terminator; the buffer's end is one.
template <std::size_t N>
std::string bounded(const char (&text)[N]) {
    return {text, strnlen(text, N)};
}

template <typename F>
Outcome guarded(const char* connector, const char* call_name, F&& call) noexcept {
    fanout_error error{};
    Outcome outcome;
    const std::string where = std::string(connector) + " connector, " + call_name;
    try {
        outcome.code = call(&error);
    } catch (const std::exception& e) {
        return {FANOUT_RETRY, where + ": exception: " + e.what(), "", {}};
    } catch (...) {
        return {FANOUT_RETRY, where + ": unknown exception", "", {}};
    }
    if (outcome.ok()) return outcome;
    if (outcome.code < FANOUT_OK || outcome.code > FANOUT_FENCED) {
        return {FANOUT_FATAL,
                where + " returned the unknown outcome " + std::to_string(outcome.code),
                "this is a defect of the connector",
                {}};
    }
    outcome.message = bounded(error.message);
    if (outcome.message.empty()) outcome.message = where + " failed and did not say why";
    outcome.hint = bounded(error.hint);
    outcome.at = {error.commit_lsn, error.index};
    return outcome;
}

}  // namespace

ConnectorGuard::ConnectorGuard(const fanout_connector& connector, std::string subscription,
                               const std::atomic<bool>& stopping)
    : connector_(connector), subscription_(std::move(subscription)), stopping_(stopping) {
    host_.context = this;
    host_.log = &ConnectorGuard::on_log;
    host_.stopping = &ConnectorGuard::on_stopping;
}

ConnectorGuard::~ConnectorGuard() {
    if (void* self = self_.exchange(nullptr); self != nullptr) connector_.destroy(self);
}

Outcome ConnectorGuard::create(const CheckedOptions& options) {
    const auto list = options.as_list();
    void* self = nullptr;
    auto outcome = guarded(connector_.name, "create", [&](fanout_error* error) {
        return connector_.create(list.data(), list.size(), &host_, &self, error);
    });
    if (outcome.ok()) self_ = self;
    return outcome;
}

Outcome ConnectorGuard::open(const fanout_session& session, fanout_cursor& cursor) {
    cursor = {};
    return guarded(connector_.name, "open", [&](fanout_error* error) {
        return connector_.open(self_, &session, &cursor, error);
    });
}

Outcome ConnectorGuard::write(const fanout_batch& batch) {
    return guarded(connector_.name, "write",
                   [&](fanout_error* error) { return connector_.write(self_, &batch, error); });
}

Outcome ConnectorGuard::flush(const fanout_cursor& cursor) {
    return guarded(connector_.name, "flush",
                   [&](fanout_error* error) { return connector_.flush(self_, &cursor, error); });
}

Outcome ConnectorGuard::settle(fanout_settle until, fanout_progress& progress) {
    return guarded(connector_.name, "settle", [&](fanout_error* error) {
        return connector_.settle(self_, until, &progress, error);
    });
}

fanout_progress ConnectorGuard::progress() const noexcept {
    fanout_progress progress{};
    if (void* self = self_; self != nullptr) connector_.progress(self, &progress);
    return progress;
}

void ConnectorGuard::close() noexcept {
    if (void* self = self_; self != nullptr) connector_.close(self);
}

void ConnectorGuard::interrupt() noexcept {
    if (void* self = self_; self != nullptr) connector_.interrupt(self);
}

Outcome ConnectorGuard::test() {
    return guarded(connector_.name, "test",
                   [&](fanout_error* error) { return connector_.test(self_, error); });
}

Outcome ConnectorGuard::put_note(const std::string& name, const char* text) {
    return guarded(connector_.name, "put_note", [&](fanout_error* error) {
        return connector_.put_note(self_, name.c_str(), text, error);
    });
}

Outcome ConnectorGuard::read_notes(std::map<std::string, std::string>& notes) {
    notes.clear();
    const fanout_note_reader take = [](void* context, const char* name, const char* text) {
        (*static_cast<std::map<std::string, std::string>*>(context))[name] = text;
    };
    return guarded(connector_.name, "read_notes", [&](fanout_error* error) {
        return connector_.read_notes(self_, take, &notes, error);
    });
}

Outcome ConnectorGuard::prepare_table(const fanout_table& table, bool must_be_empty) {
    if (connector_.prepare_table == nullptr) return {};
    return guarded(connector_.name, "prepare_table", [&](fanout_error* error) {
        return connector_.prepare_table(self_, &table, must_be_empty ? 1 : 0, error);
    });
}

Outcome ConnectorGuard::create_index(const fanout_table& table, const fanout_index& index,
                                     bool own_tables_only) {
    return guarded(connector_.name, "create_index", [&](fanout_error* error) {
        return connector_.create_index(self_, &table, &index, own_tables_only ? 1 : 0, error);
    });
}

void ConnectorGuard::on_log(void* context, int level, const char* message) {
    const auto* guard = static_cast<ConnectorGuard*>(context);
    log::Level as = log::Level::error;
    if (level <= FANOUT_LOG_DEBUG) {
        as = log::Level::debug;
    } else if (level == FANOUT_LOG_INFO) {
        as = log::Level::info;
    } else if (level == FANOUT_LOG_WARNING) {
        as = log::Level::warning;
    }
    log::write(as, message,
               {{"subscription", guard->subscription_}, {"connector", guard->connector_.name}});
}

int ConnectorGuard::on_stopping(void* context) {
    return static_cast<ConnectorGuard*>(context)->stopping_ ? 1 : 0;
}

}  // namespace fanout::host
