// See command_line.hpp.
#include "fanoutctl/command_line.hpp"

#include <CLI/CLI.hpp>

namespace fanout::ctl {
namespace {

constexpr const char* kDescription =
    "fanoutctl shows what pg_fanout does in a database: streams, subscriptions, backfills.\n"
    "It reads the views of the schema fanout; changes are made in SQL.\n";

constexpr const char* kFooter =
    "The role needs fanout_monitor. Exit status: 0; 1 if check found an error; 2 wrong usage; 3 "
    "no\n"
    "answer from the database.\n"
    "\n"
    "Example:\n"
    "  fanoutctl watch --source \"host=/var/run/postgresql dbname=shop\"";

}  // namespace

std::variant<Invocation, ExitNow> parse_command_line(int argc, char** argv) {
    Invocation invocation;
    bool no_color = false;
    CLI::App app(kDescription, "fanoutctl");
    app.footer(kFooter);
    app.set_version_flag("--version", "fanoutctl " FANOUT_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--source", invocation.source,
                   "how to reach the database: a libpq connection string")
        ->type_name("CONNINFO")
        ->envname("FANOUT_SOURCE");
    app.add_flag("--no-color", no_color, "no colours (nor if NO_COLOR is set)");
    auto* status = app.add_subcommand("status", "print streams, subscriptions and backfills once");
    status->add_flag("--json", invocation.json, "the views as one JSON object");
    status->add_flag("--all", invocation.all, "list complete backfills, too");
    auto* watch = app.add_subcommand("watch", "the same, live; q ends it");
    watch->add_option("--interval", invocation.interval_seconds, "seconds between looks")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    watch->add_flag("--once", invocation.once, "print one frame and end");
    auto* check = app.add_subcommand("check", "say what is missing to run, and what mends it");
    check->add_flag("--json", invocation.json, "as a JSON array");
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        std::ostringstream text;
        app.exit(success, text, text);
        return ExitNow{0, text.str()};
    } catch (const CLI::ParseError& error) {
        return ExitNow{kExitUsage, std::string("fanoutctl: ") + error.what() +
                                       "\nTry fanoutctl --help for the commands.\n"};
    }
    if (watch->parsed()) invocation.command = Command::watch;
    if (check->parsed()) invocation.command = Command::check;
    invocation.color = !no_color;
    return invocation;
}

}  // namespace fanout::ctl
