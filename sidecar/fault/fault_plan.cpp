// Counts hits and acts.
#include "sidecar/fault/fault_plan.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "fanout/base/fault_point.hpp"

namespace fanout::fault {
namespace {

Action action_named(const std::string& word) {
    if (word == "crash") return Action::crash;
    if (word == "error") return Action::error;
    if (word == "sleep") return Action::sleep;
    if (word == "hold") return Action::hold;
    throw std::invalid_argument("\"" + word + "\" is not crash, error, sleep or hold");
}

Fault parse_fault(const std::string& text) {
    std::istringstream parts(text);
    Fault fault;
    std::string hit, action, milliseconds;
    std::getline(parts, fault.name, ':');
    std::getline(parts, hit, ':');
    std::getline(parts, action, ':');
    if (fault.name.empty() || action.empty())
        throw std::invalid_argument("\"" + text + "\" is not name:n-th hit:action");
    fault.hit = std::stoul(hit);
    fault.action = action_named(action);
    if (std::getline(parts, milliseconds, ':')) fault.milliseconds = std::stoul(milliseconds);
    return fault;
}

}  // namespace

std::vector<Fault> parse_faults(const std::string& text) {
    std::vector<Fault> faults;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ';');)
        faults.push_back(parse_fault(part));
    return faults;
}

#ifdef FANOUT_FAULT_POINTS

namespace {

struct Armed {
    Fault fault;
    std::atomic<unsigned long> hits{0};
};

/// Written once before any other thread starts, and never freed: threads may still hit points.
std::vector<std::unique_ptr<Armed>>* plan = nullptr;
std::string* directory = nullptr;

void hold(const std::string& name) {
    const std::string release = *directory + "/" + name + ".release";
    while (!std::filesystem::exists(release))
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

bool act(const Fault& fault) {
    if (!directory->empty()) std::ofstream(*directory + "/" + fault.name + ".hit") << ::getpid();
    switch (fault.action) {
        case Action::crash:
            ::kill(::getpid(), SIGKILL);
            for (;;)
                ::pause();
        case Action::error:
            return true;
        case Action::sleep:
            std::this_thread::sleep_for(std::chrono::milliseconds(fault.milliseconds));
            return false;
        case Action::hold:
            hold(fault.name);
            return false;
    }
    return false;
}

bool on_hit(const char* name) {
    bool fails = false;
    for (const auto& armed : *plan)
        if (armed->fault.name == name && ++armed->hits == armed->fault.hit)
            fails = act(armed->fault) || fails;
    return fails;
}

}  // namespace

void arm_from_environment() {
    const char* text = std::getenv("FANOUT_FAULTS");
    if (text == nullptr || *text == '\0') return;
    const char* folder = std::getenv("FANOUT_FAULT_DIR");
    directory = new std::string(folder != nullptr ? folder : "");
    plan = new std::vector<std::unique_ptr<Armed>>;
    for (auto& fault : parse_faults(text)) {
        plan->push_back(std::make_unique<Armed>());
        plan->back()->fault = std::move(fault);
    }
    fanout_fault_hook = on_hit;
}

#else

void arm_from_environment() {}

#endif

}  // namespace fanout::fault

#ifdef FANOUT_FAULT_POINTS
bool (*fanout_fault_hook)(const char* name) = nullptr;
#endif
