#include "tests/contract/target_hook.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace fanout::contract {
namespace {

constexpr int kNotHere = 77;

OptionValues option_values(const nlohmann::json& object) {
    OptionValues values;
    for (const auto& [name, value] : object.items())
        values[name] = value.is_string() ? value.get<std::string>() : value.dump();
    return values;
}

}  // namespace

std::string TargetHook::run(const std::string& command, const std::string& directory,
                            int* status) const {
    const std::string line = "'" + program_ + "' " + command + " '" + directory + "'";
    FILE* pipe = ::popen(line.c_str(), "re");
    if (pipe == nullptr) throw std::runtime_error("cannot run " + line);
    std::string out;
    char part[4096];
    while (const std::size_t got = std::fread(part, 1, sizeof part, pipe))
        out.append(part, got);
    const int ended = ::pclose(pipe);
    const int code = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    if (status != nullptr)
        *status = code;
    else if (code != 0)
        throw std::runtime_error(line + " ended with " + std::to_string(code) + ": " + out);
    return out;
}

bool TargetHook::start(const std::string& root) const {
    int status = 0;
    const std::string said = run("start", root, &status);
    if (status != 0 && status != kNotHere) throw std::runtime_error("start failed: " + said);
    return status == 0;
}

void TargetHook::stop(const std::string& root) const {
    run("stop", root);
}

OptionValues TargetHook::options(const std::string& directory) const {
    return option_values(nlohmann::json::parse(run("options", directory)));
}

std::vector<OptionValues> TargetHook::bad_options(const std::string& directory) const {
    std::vector<OptionValues> sets;
    for (const auto& object : nlohmann::json::parse(run("bad-options", directory)))
        sets.push_back(option_values(object));
    return sets;
}

std::vector<std::string> TargetHook::content(const std::string& directory) const {
    std::istringstream text(run("content", directory));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);)
        lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
}

std::int64_t TargetHook::next_of_sequence(const std::string& directory) const {
    return std::stoll(run("sequence", directory));
}

std::string TargetHook::trace(const std::string& directory) const {
    return run("trace", directory);
}

}  // namespace fanout::contract
