// What the host learns about this connector before it makes one.
#include "stdout/stdout_connector.hpp"

namespace {

constexpr fanout_option_spec kOptions[] = {fanout::kit::kUnrepresentableOption};

constexpr fanout::connector::Descriptor kDescriptor = {
    .name = "stdout",
    .version = "1.0.0",
    .summary = "JSON lines on fanoutd's standard output, at least once",
    .capabilities = FANOUT_CAP_MESSAGES,
    .options = kOptions,
};

}  // namespace

FANOUT_EXPORT_CONNECTOR(fanout::stdout_target::StdoutConnector, kDescriptor)
