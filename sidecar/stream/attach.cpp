// See attach.hpp.
#include "sidecar/stream/attach.hpp"

#include <array>
#include <string_view>

#include "fanout/base/lsn_text.hpp"
#include "sidecar/source/source_connection.hpp"

namespace fanout::stream {
namespace {

constexpr const char* kAttach =
    "SELECT socket_path, token, worker_pid, epoch, identity, system_identifier "
    "FROM fanout.attach($1, $2::pg_lsn, $3)";

constexpr const char* kStanding =
    "SELECT s.epoch, pg_current_wal_flush_lsn() FROM fanout.stream_def s WHERE s.name = $1";

/// Refusals that waiting does not mend.
constexpr std::array<std::string_view, 3> kFinal{"slot_lost:", "slot_ahead:", "source_rewound:"};

Status refusal(const source::SqlError& error, const source::SourceConnection& connection) {
    const Status explained = source::explain(error, connection);
    for (const auto word : kFinal)
        if (error.message.starts_with(word)) return Status::fatal(explained.text());
    return explained;
}

/// Every attachment raises the epoch in the catalog. A server that remembers fewer of them than
/// this state directory is an older copy, even if its WAL has grown past the journal's end since.
Result<Lsn> source_end(const AttachRequest& request, source::SourceConnection& connection) {
    const auto result = connection.query(kStanding, {request.stream});
    if (!result.ok()) return refusal(*result.error, connection);
    if (result.rows.size() != 1 || !result.rows[0][0] || !result.rows[0][1]) return Lsn{0};
    const std::string& end = *result.rows[0][1];
    if (std::stoull(*result.rows[0][0]) >= request.last_epoch) return parse_lsn(end).value_or(0);
    return Status::fatal(
        "source_rewound: this server remembers " + *result.rows[0][0] +
        " attachments of stream \"" + request.stream + "\", fanoutd had " +
        std::to_string(request.last_epoch) +
        ": it is an older copy of the source, written on; fanoutd has changes up to " +
        lsn_text(request.from) + " of the one before, this server goes up to " + end +
        ". Bring the targets back to this server's state, then SELECT fanout.stop_stream('" +
        request.stream + "', drop_slot => true); and start anew");
}

}  // namespace

Result<Attachment> attach(const AttachRequest& request) {
    auto connected = source::SourceConnection::connect(request.conninfo, request.stop_fd);
    if (!connected.is_ok()) return connected.status();
    auto& connection = connected.value();
    auto end = source_end(request, connection);
    if (!end.is_ok()) return end.status();
    // An epoch that was given must survive a crash of the source, or it would be given again.
    const auto durable = connection.query("SET synchronous_commit = local", {});
    if (!durable.ok()) return refusal(*durable.error, connection);
    std::optional<std::string> from;
    if (request.from != 0) from = lsn_text(request.from);
    const auto result = connection.query(kAttach, {request.stream, from, request.daemon});
    if (!result.ok()) return refusal(*result.error, connection);
    if (result.rows.size() != 1 || result.rows[0].size() != 6)
        return Status::fatal(
            "fanout.attach() did not answer as this fanoutd expects; install "
            "fanoutd and extension of one version");
    for (const auto& value : result.rows[0])
        if (!value) return Status::retry("fanout.attach() left a field empty");
    const auto& row = result.rows[0];
    return Attachment{*row[4], *row[5], std::stoull(*row[3]), std::stoi(*row[2]),
                      *row[0], *row[1], end.value()};
}

}  // namespace fanout::stream
