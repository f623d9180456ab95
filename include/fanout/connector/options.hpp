// Typed access to a connector's options. The host has checked them against the option table, so
// a missing name here is a mistake in the connector itself.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>

#include "fanout/connector/abi.h"

namespace fanout::connector {

class Options {
  public:
    Options(const fanout_option* options, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            values_[options[i].name] = options[i].value;
    }

    bool has(const std::string& name) const { return values_.contains(name); }

    const std::string& text(const std::string& name) const {
        const auto found = values_.find(name);
        if (found == values_.end()) throw std::logic_error("option \"" + name + "\" is not set");
        return found->second;
    }

    std::int64_t integer(const std::string& name) const {
        return std::strtoll(text(name).c_str(), nullptr, 10);
    }

    bool boolean(const std::string& name) const { return text(name) == "true"; }

  private:
    std::map<std::string, std::string> values_;
};

}  // namespace fanout::connector
