// The C++ face of abi.h: derive from Connector, throw ConnectorError, export with one macro.
//
//   class FileConnector : public fanout::connector::Connector { … };
//   FANOUT_EXPORT_CONNECTOR(FileConnector, kDescriptor)   // in descriptor.cpp
//
// Exceptions stop at the edge: ConnectorError keeps its outcome, anything else is FANOUT_RETRY
// with the exception's text.
#pragma once

#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/connector/abi.h"
#include "fanout/connector/options.hpp"

namespace fanout::connector {

inline std::string_view view(fanout_text text) {
    return {text.data, text.size};
}

class ConnectorError : public std::runtime_error {
  public:
    ConnectorError(fanout_outcome outcome, const std::string& message, std::string hint = {},
                   Position at = {})
        : std::runtime_error(message), outcome_(outcome), hint_(std::move(hint)), at_(at) {}
    fanout_outcome outcome() const { return outcome_; }
    const std::string& hint() const { return hint_; }
    Position at() const { return at_; }

  private:
    fanout_outcome outcome_;
    std::string hint_;
    Position at_;
};

/// By name.
using Notes = std::vector<std::pair<std::string, std::string>>;

/// One target connection of one lane. See abi.h for what each call means.
class Connector {
  public:
    virtual ~Connector() = default;
    virtual fanout_cursor open(const fanout_session& session) = 0;
    virtual void write(const fanout_batch& batch) = 0;
    virtual void flush(const fanout_cursor& cursor) = 0;
    virtual void close() noexcept = 0;
    virtual void interrupt() noexcept {}
    virtual void test() = 0;
    /// Nothing as text: the note goes.
    virtual void put_note(const std::string& name, const std::optional<std::string>& text);
    virtual Notes read_notes() { return {}; }
    virtual void prepare_table(const fanout_table&, bool /*must_be_empty*/) {}
    /// With FANOUT_CAP_INDEXES only.
    virtual void create_index(const fanout_table&, const fanout_index&, bool /*own_tables_only*/) {
        throw ConnectorError(FANOUT_FATAL, "create_index() without FANOUT_CAP_INDEXES");
    }
    /// With FANOUT_CAP_FLUSH_AHEAD only.
    virtual fanout_progress settle(fanout_settle) {
        throw ConnectorError(FANOUT_FATAL, "settle() without FANOUT_CAP_FLUSH_AHEAD");
    }
    virtual fanout_progress progress() const noexcept { return {}; }
};

inline void Connector::put_note(const std::string&, const std::optional<std::string>&) {
    throw ConnectorError(FANOUT_FATAL, "this connector keeps no notes");
}

/// What the host learns about a connector before it makes one.
struct Descriptor {
    const char* name;
    const char* version;
    const char* summary;             // one line
    std::uint32_t capabilities = 0;  // FANOUT_CAP_*
    std::span<const fanout_option_spec> options = {};
};

namespace detail {

inline void fill(fanout_error* error, const char* message, const char* hint, Position at) {
    std::snprintf(error->message, sizeof error->message, "%s", message);
    std::snprintf(error->hint, sizeof error->hint, "%s", hint);
    error->commit_lsn = at.commit_lsn;
    error->index = at.index;
}

template <typename F>
fanout_outcome guarded(fanout_error* error, F&& call) noexcept {
    try {
        call();
        return FANOUT_OK;
    } catch (const ConnectorError& e) {
        fill(error, e.what(), e.hint().c_str(), e.at());
        return e.outcome();
    } catch (const std::exception& e) {
        fill(error, e.what(), "", {});
    } catch (...) {
        fill(error, "unknown exception in the connector", "", {});
    }
    return FANOUT_RETRY;
}

/// `C` is constructed as C(const Options&, const fanout_host&).
template <typename C>
fanout_connector make_entry(fanout_connector entry) {
    entry.abi = FANOUT_CONNECTOR_ABI;
    entry.create = [](const fanout_option* options, size_t count, const fanout_host* host,
                      void** self, fanout_error* error) {
        return guarded(
            error, [&] { *self = static_cast<Connector*>(new C(Options(options, count), *host)); });
    };
    entry.destroy = [](void* self) { delete static_cast<Connector*>(self); };
    entry.open = [](void* self, const fanout_session* session, fanout_cursor* cursor,
                    fanout_error* error) {
        return guarded(error, [&] { *cursor = static_cast<Connector*>(self)->open(*session); });
    };
    entry.write = [](void* self, const fanout_batch* batch, fanout_error* error) {
        return guarded(error, [&] { static_cast<Connector*>(self)->write(*batch); });
    };
    entry.flush = [](void* self, const fanout_cursor* cursor, fanout_error* error) {
        return guarded(error, [&] { static_cast<Connector*>(self)->flush(*cursor); });
    };
    entry.close = [](void* self) { static_cast<Connector*>(self)->close(); };
    entry.interrupt = [](void* self) { static_cast<Connector*>(self)->interrupt(); };
    entry.test = [](void* self, fanout_error* error) {
        return guarded(error, [&] { static_cast<Connector*>(self)->test(); });
    };
    entry.put_note = [](void* self, const char* name, const char* text, fanout_error* error) {
        return guarded(error, [&] {
            static_cast<Connector*>(self)->put_note(
                name, text == nullptr ? std::nullopt : std::optional<std::string>(text));
        });
    };
    entry.read_notes = [](void* self, fanout_note_reader reader, void* context,
                          fanout_error* error) {
        return guarded(error, [&] {
            for (const auto& [name, text] : static_cast<Connector*>(self)->read_notes())
                reader(context, name.c_str(), text.c_str());
        });
    };
    entry.prepare_table = [](void* self, const fanout_table* table, int must_be_empty,
                             fanout_error* error) {
        return guarded(error, [&] {
            static_cast<Connector*>(self)->prepare_table(*table, must_be_empty != 0);
        });
    };
    if ((entry.capabilities & FANOUT_CAP_INDEXES) != 0)
        entry.create_index = [](void* self, const fanout_table* table, const fanout_index* index,
                                int own_tables_only, fanout_error* error) {
            return guarded(error, [&] {
                static_cast<Connector*>(self)->create_index(*table, *index, own_tables_only != 0);
            });
        };
    if ((entry.capabilities & FANOUT_CAP_FLUSH_AHEAD) == 0) return entry;
    entry.settle = [](void* self, int until, fanout_progress* progress, fanout_error* error) {
        return guarded(error, [&] {
            *progress = static_cast<Connector*>(self)->settle(static_cast<fanout_settle>(until));
        });
    };
    entry.progress = [](void* self, fanout_progress* progress) {
        *progress = static_cast<const Connector*>(self)->progress();
    };
    return entry;
}

template <typename C>
fanout_connector make_entry(const Descriptor& descriptor) {
    fanout_connector entry{};
    entry.name = descriptor.name;
    entry.version = descriptor.version;
    entry.summary = descriptor.summary;
    entry.capabilities = descriptor.capabilities;
    entry.options = descriptor.options.data();
    entry.option_count = descriptor.options.size();
    return make_entry<C>(entry);
}

}  // namespace detail
}  // namespace fanout::connector

/// `descriptor` is a fanout::connector::Descriptor, or a fanout_connector with the same set.
#define FANOUT_EXPORT_CONNECTOR(Class, descriptor)                            \
    extern "C" __attribute__((visibility("default"))) const fanout_connector* \
    fanout_connector_entry(void) {                                            \
        static const fanout_connector entry =                                 \
            fanout::connector::detail::make_entry<Class>(descriptor);         \
        return &entry;                                                        \
    }
