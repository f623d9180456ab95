// How the suite gets a real target for a connector it knows nothing about: an executable in the
// connector's own folder, tests/contract_target. README.md says what it must answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/contract/subject.hpp"

namespace fanout::contract {

class TargetHook {
  public:
    /// `program` empty: the connector has none, and only the generic checks run.
    explicit TargetHook(std::string program) : program_(std::move(program)) {}

    bool exists() const { return !program_.empty(); }
    /// False: what the target needs is not on this machine.
    bool start(const std::string& root) const;
    void stop(const std::string& root) const;

    /// Options of a fresh target that lives under `directory`.
    OptionValues options(const std::string& directory) const;
    /// Sets of options that have to be refused.
    std::vector<OptionValues> bad_options(const std::string& directory) const;
    /// Rows and messages in the target, one line each, sorted.
    std::vector<std::string> content(const std::string& directory) const;
    /// The value that the sequence public.counted gives next; it is made first if it is not there.
    std::int64_t next_of_sequence(const std::string& directory) const;
    /// Everything that could have been left behind: objects, files.
    std::string trace(const std::string& directory) const;

  private:
    std::string run(const std::string& command, const std::string& directory,
                    int* status = nullptr) const;
    std::string program_;
};

}  // namespace fanout::contract
