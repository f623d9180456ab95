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

/// Refusals that waiting does not mend.
constexpr std::array<std::string_view, 3> kFinal{"slot_lost:", "slot_ahead:", "source_rewound:"};

Status refusal(const source::SqlError& error, const source::SourceConnection& connection) {
    const Status explained = source::explain(error, connection);
    for (const auto word : kFinal)
        if (error.message.starts_with(word)) return Status::fatal(explained.text());
    return explained;
}

}  // namespace

Result<Attachment> attach(const AttachRequest& request) {
    auto connected = source::SourceConnection::connect(request.conninfo, request.stop_fd);
    if (!connected.is_ok()) return connected.status();
    auto& connection = connected.value();
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
    return Attachment{*row[4], *row[5], std::stoull(*row[3]), std::stoi(*row[2]), *row[0], *row[1]};
}

}  // namespace fanout::stream
