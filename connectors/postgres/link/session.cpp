// libpq in nonblocking mode; all waiting is one poll() on the socket and the interrupt.
#include "postgres/link/session.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace fanout::postgres {
namespace {

using connector::ConnectorError;
using Clock = std::chrono::steady_clock;

constexpr auto kConnectTimeout = std::chrono::seconds(30);
constexpr int kStopCheckMilliseconds = 500;

// Everything that could change what a text value means, which plan an array statement gets, or
// how long a statement may take. Durability is only ever raised: flush must mean durable.
constexpr const char* kPinnedSettings = R"(
SELECT pg_catalog.set_config('search_path', '', false),
       pg_catalog.set_config('DateStyle', 'ISO, YMD', false),
       pg_catalog.set_config('IntervalStyle', 'postgres', false),
       pg_catalog.set_config('TimeZone', 'UTC', false),
       pg_catalog.set_config('extra_float_digits', '3', false),
       pg_catalog.set_config('bytea_output', 'hex', false),
       pg_catalog.set_config('lc_monetary', 'C', false),
       pg_catalog.set_config('standard_conforming_strings', 'on', false),
       pg_catalog.set_config('xmloption', 'content', false),
       pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false),
       pg_catalog.set_config('jit', 'off', false),
       pg_catalog.set_config('row_security', 'off', false),
       pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
       pg_catalog.set_config('default_transaction_read_only', 'off', false),
       pg_catalog.set_config('statement_timeout', '0', false),
       pg_catalog.set_config('lock_timeout', '0', false),
       pg_catalog.set_config('idle_in_transaction_session_timeout', '0', false),
       pg_catalog.set_config('tcp_keepalives_idle', '60', false),
       pg_catalog.set_config('tcp_keepalives_interval', '10', false),
       pg_catalog.set_config('tcp_keepalives_count', '6', false),
       pg_catalog.set_config('synchronous_commit',
           CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                ELSE pg_catalog.current_setting('synchronous_commit') END, false))";

// connect_timeout is the business of whoever calls PQconnectPoll.
std::chrono::seconds connect_timeout(PGconn* connection) {
    std::chrono::seconds found = kConnectTimeout;
    PQconninfoOption* options = PQconninfo(connection);
    for (auto* option = options; option != nullptr && option->keyword != nullptr; ++option) {
        if (std::strcmp(option->keyword, "connect_timeout") == 0 && option->val != nullptr)
            if (const int seconds = std::atoi(option->val); seconds > 0)
                found = std::chrono::seconds(seconds);
    }
    PQconninfoFree(options);
    return found;
}

bool is_error(const PGresult* result) {
    const auto status = PQresultStatus(result);
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

}  // namespace

Interrupt::Interrupt() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Interrupt::~Interrupt() {
    ::close(descriptor_);
}

void Interrupt::raise() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
}

void Interrupt::clear() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(descriptor_, &count, sizeof count);
}

void Session::connect(const std::string& dsn, const std::string& application_name) {
    close();
    start(dsn, application_name);
    const auto deadline = Clock::now() + connect_timeout(connection_);
    for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;
         state = PQconnectPoll(connection_)) {
        if (state == PGRES_POLLING_FAILED)
            throw_error(read_connection_error(connection_), "cannot connect to the target");
        wait(state == PGRES_POLLING_WRITING, deadline);
    }
    check_encoding();
    PQsetErrorVerbosity(connection_, PQERRORS_DEFAULT);
    if (PQsetnonblocking(connection_, 1) != 0) throw_lost("connecting to the target");
    pin_settings();
}

void Session::start(const std::string& dsn, const std::string& application_name) {
    char* problem = nullptr;
    PQconninfoOption* parsed = PQconninfoParse(dsn.c_str(), &problem);
    if (parsed == nullptr) {
        // libpq's text may repeat the part of the dsn it does not understand, secrets included.
        PQfreemem(problem);
        throw ConnectorError(FANOUT_FATAL, "the target's dsn cannot be read",
                             "Write it as libpq does: host=… dbname=… user=…, or postgresql://…");
    }
    PQconninfoFree(parsed);
    const char* keywords[] = {"fallback_application_name", "client_encoding", "dbname", nullptr};
    const char* values[] = {application_name.c_str(), "UTF8", dsn.c_str(), nullptr};
    connection_ = PQconnectStartParams(keywords, values, 1);
    if (connection_ == nullptr) throw std::bad_alloc();
    PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
    if (PQstatus(connection_) == CONNECTION_BAD)
        throw_error(read_connection_error(connection_), "cannot connect to the target");
}

/// A dsn may say SQL_ASCII, for a target that stores whatever it gets. Under any other name UTF-8
/// would be taken for something else, and often without an error.
void Session::check_encoding() {
    const char* name = PQparameterStatus(connection_, "client_encoding");
    const std::string_view encoding = name != nullptr ? name : "";
    if (encoding == "UTF8" || encoding == "SQL_ASCII") return;
    throw ConnectorError(FANOUT_FATAL,
                         "the target's dsn sets client_encoding to " + std::string(encoding) +
                             ", but text is sent as UTF-8",
                         "Leave client_encoding out of the dsn: the target converts.");
}

void Session::pin_settings() {
    query(kPinnedSettings, {}, "cannot prepare the session");
}

void Session::close() noexcept {
    if (connection_ == nullptr) return;
    if (PQstatus(connection_) == CONNECTION_OK &&
        PQtransactionStatus(connection_) == PQTRANS_ACTIVE) {
        // Without it the server would finish the statement, and hold its locks, for nobody.
        char text[256];
        if (PGcancel* cancel = PQgetCancel(connection_); cancel != nullptr) {
            PQcancel(cancel, text, sizeof text);
            PQfreeCancel(cancel);
        }
    }
    PQfinish(connection_);
    connection_ = nullptr;
}

void Session::wait(bool for_write, std::optional<Clock::time_point> deadline) {
    for (;;) {
        pollfd sets[2] = {{PQsocket(connection_), POLLIN, 0}, {interrupt_.descriptor(), POLLIN, 0}};
        if (for_write) sets[0].events = static_cast<short>(POLLIN | POLLOUT);
        const int ready = ::poll(sets, 2, kStopCheckMilliseconds);
        if (ready < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "poll on the target");
        if ((sets[1].revents & POLLIN) != 0 || host_.stopping(host_.context) != 0)
            throw ConnectorError(FANOUT_RETRY, "interrupted while waiting for the target");
        if (ready > 0 && sets[0].revents != 0) return;
        if (deadline && Clock::now() >= *deadline)
            throw ConnectorError(FANOUT_RETRY, "cannot connect to the target: no answer in time",
                                 "Check host and port of the target's dsn; connect_timeout in it "
                                 "sets the limit.");
    }
}

void Session::flush() {
    for (;;) {
        const int left = PQflush(connection_);
        if (left < 0) throw_lost("sending to the target");
        if (left == 0) return;
        wait(true);
        if (PQconsumeInput(connection_) == 0) throw_lost("reading from the target");
    }
}

ResultPtr Session::next_result() {
    while (PQisBusy(connection_) != 0) {
        wait(false);
        if (PQconsumeInput(connection_) == 0) throw_lost("reading from the target");
    }
    return ResultPtr(PQgetResult(connection_));
}

ResultPtr Session::last_answer(const std::string& doing) {
    flush();
    ResultPtr last;
    while (ResultPtr result = next_result())
        last = std::move(result);
    if (last == nullptr) throw_lost(doing);
    return last;
}

ResultPtr Session::last_result(const std::string& doing) {
    ResultPtr last = last_answer(doing);
    if (is_error(last.get())) throw_error(read_error(last.get()), doing);
    return last;
}

ResultPtr Session::query(const std::string& sql, const std::vector<TextParameter>& parameters,
                         const std::string& doing) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const auto& parameter : parameters)
        values.push_back(parameter ? parameter->c_str() : nullptr);
    if (PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                          values.data(), nullptr, nullptr, 0) == 0)
        throw_lost(doing);
    return last_result(doing);
}

void Session::execute(const std::string& sql, const std::string& doing) {
    if (PQsendQuery(connection_, sql.c_str()) == 0) throw_lost(doing);
    last_result(doing);
}

std::optional<SqlError> Session::attempt(const std::string& sql, const std::string& doing) {
    if (PQsendQuery(connection_, sql.c_str()) == 0) throw_lost(doing);
    const ResultPtr last = last_answer(doing);
    if (!is_error(last.get())) return std::nullopt;
    return read_error(last.get());
}

void Session::log(int level, const std::string& text) const {
    host_.log(host_.context, level, text.c_str());
}

void Session::throw_lost(const std::string& doing) const {
    throw_error(read_connection_error(connection_), doing);
}

}  // namespace fanout::postgres
