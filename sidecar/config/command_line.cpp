// Builds the CLI11 parser from the table of settings and merges the three sources.
#include "sidecar/config/command_line.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace fanout::config {
namespace {

constexpr const char* kDescription =
    "fanoutd delivers the changes of a PostgreSQL database to the targets of its subscriptions.\n"
    "Targets and subscriptions are made in SQL: SELECT fanout.create_subscription(...).\n";

constexpr const char* kFooter =
    "Every setting can also be given in the configuration file (state_dir = /var/lib/fanoutd) or\n"
    "in the environment (FANOUT_STATE_DIR). A flag wins over the environment, that over the file.\n"
    "SIGTERM delivers what is in hand and stops; SIGHUP reads the log level and the\n"
    "journal's limits again.\n"
    "\n"
    "Example:\n"
    "  fanoutd --source \"host=/var/run/postgresql dbname=shop user=fanout\" "
    "--state-dir /var/lib/fanoutd";

std::variant<Invocation, ExitNow> refuse(const std::string& text) {
    return ExitNow{kExitUsage, "fanoutd: " + text + "\n"};
}

struct Parsed {
    GivenValues flags;
    std::string config_file;
    bool print_config = false;
    bool connectors_sql = false;
};

/// Nothing if parsing went well.
std::variant<Parsed, ExitNow> parse_flags(int argc, char** argv) {
    Parsed parsed;
    CLI::App app(kDescription, "fanoutd");
    app.footer(kFooter);
    app.set_version_flag("--version", "fanoutd " FANOUT_VERSION);
    std::map<std::string, std::string> texts;
    std::map<std::string, CLI::Option*> options;
    for (const auto& setting : settings()) {
        options[setting.name] =
            app.add_option(flag_name(setting), texts[setting.name], setting.help)
                ->type_name(setting.value_name);
    }
    app.add_option("--config", parsed.config_file, "configuration file (or FANOUT_CONFIG)")
        ->type_name("FILE");
    app.add_flag("--print-config", parsed.print_config,
                 "print the settings in force as a configuration file and exit");
    app.add_flag("--connectors-sql", parsed.connectors_sql,
                 "print the SQL that registers the connectors found and exit");
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        std::ostringstream text;
        app.exit(success, text, text);
        return ExitNow{0, text.str()};
    } catch (const CLI::ParseError& error) {
        return ExitNow{kExitUsage, std::string("fanoutd: ") + error.what() +
                                       "\nTry fanoutd --help for the settings.\n"};
    }
    for (const auto& setting : settings()) {
        if (options[setting.name]->count() != 0)
            parsed.flags[setting.name] = {texts[setting.name], flag_name(setting)};
    }
    return parsed;
}

}  // namespace

std::variant<Invocation, ExitNow> parse_command_line(int argc, char** argv,
                                                     const std::string& default_connector_dir) {
    auto outcome = parse_flags(argc, argv);
    if (auto* exit_now = std::get_if<ExitNow>(&outcome)) return *exit_now;
    auto& parsed = std::get<Parsed>(outcome);
    const char* from_environment = std::getenv("FANOUT_CONFIG");
    if (parsed.config_file.empty() && from_environment != nullptr)
        parsed.config_file = from_environment;

    GivenValues file;
    if (!parsed.config_file.empty()) {
        auto read = read_config_file(parsed.config_file);
        if (!read.is_ok()) return refuse(read.status().text());
        file = std::move(read.value());
    }
    auto built = build_config({file, read_environment(), parsed.flags});
    if (!built.is_ok()) return refuse(built.status().text());

    Invocation invocation{Command::run, std::move(built.value()), parsed.flags};
    invocation.config.config_file = parsed.config_file;
    if (invocation.config.connector_dir.empty())
        invocation.config.connector_dir = default_connector_dir;
    if (parsed.connectors_sql) {
        invocation.command = Command::connectors_sql;
        return invocation;
    }
    if (parsed.print_config) {
        invocation.command = Command::print_config;
        return invocation;
    }
    if (invocation.config.source.empty())
        return refuse(
            "no source database; give --source \"host=... dbname=... user=...\" (or FANOUT_SOURCE, "
            "or `source` in the configuration file)");
    if (invocation.config.state_dir.empty())
        return refuse(
            "no state directory; give --state-dir DIR (or FANOUT_STATE_DIR, or `state_dir` in the "
            "configuration file)");
    return invocation;
}

std::string config_as_file(const Config& config, const std::string& source) {
    std::string text;
    for (const auto& setting : settings()) {
        const std::string value =
            std::string(setting.name) == "source" ? source : setting.show(config);
        text += "# " + std::string(setting.help) + (setting.reloadable ? " (SIGHUP)" : "") + "\n";
        std::string quoted;
        for (const char c : value) {
            if (c == '"' || c == '\\') quoted += '\\';
            quoted += c;
        }
        text += (value.empty() ? "#" : "") + std::string(setting.name) + " = \"" + quoted + "\"\n";
    }
    return text;
}

}  // namespace fanout::config
