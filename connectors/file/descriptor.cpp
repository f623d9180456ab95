// What the host learns about this connector before it makes one.
#include "file/file_connector.hpp"

namespace {

constexpr fanout_option_spec kOptions[] = {
    {.name = "path",
     .type = FANOUT_OPTION_STRING,
     .default_text = nullptr,
     .help = "Absolute path of the file to append to; its directory must exist.",
     .choices = nullptr,
     .flags = FANOUT_OPTION_REQUIRED},
    {.name = "format",
     .type = FANOUT_OPTION_ENUM,
     .default_text = "json",
     .help = "Form of a line: json writes one JSON object per row change.",
     .choices = "json",
     .flags = 0},
    fanout::kit::kUnrepresentableOption,
};

constexpr fanout::connector::Descriptor kDescriptor = {
    .name = "file",
    .version = "1.0.0",
    .summary = "Appends JSON lines to a file, exactly once",
    .capabilities = FANOUT_CAP_TARGET_CURSOR | FANOUT_CAP_MESSAGES | FANOUT_CAP_NOTES,
    .options = kOptions,
};

}  // namespace

FANOUT_EXPORT_CONNECTOR(fanout::file_target::FileConnector, kDescriptor)
