// One status type for everything in the daemon that can fail without being a bug.
//
// A small closed set of kinds; corruption is one of its own. The text is for an operator: what
// failed, where, and what to do. Exceptions never cross a module boundary.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace fanout {

enum class [[nodiscard]] StatusKind{
    ok,
    retry,       // may go away by itself: try again with back-off
    fatal,       // a person has to act
    corruption,  // bytes are not what was written
    io,          // the local disk failed
};

class [[nodiscard]] Status {
  public:
    Status() = default;
    static Status ok() { return {}; }
    static Status retry(std::string text) { return {StatusKind::retry, std::move(text)}; }
    static Status fatal(std::string text) { return {StatusKind::fatal, std::move(text)}; }
    static Status corruption(std::string text) { return {StatusKind::corruption, std::move(text)}; }
    static Status io(std::string text) { return {StatusKind::io, std::move(text)}; }

    bool is_ok() const { return kind_ == StatusKind::ok; }
    StatusKind kind() const { return kind_; }
    const std::string& text() const { return text_; }

  private:
    Status(StatusKind kind, std::string text) : kind_(kind), text_(std::move(text)) {}
    StatusKind kind_ = StatusKind::ok;
    std::string text_;
};

/// A value or the reason why there is none.
template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : content_(std::move(value)) {}
    Result(Status status) : content_(std::move(status)) {}

    bool is_ok() const { return content_.index() == 0; }
    T& value() { return std::get<0>(content_); }
    const T& value() const { return std::get<0>(content_); }
    Status status() const { return is_ok() ? Status::ok() : std::get<1>(content_); }

  private:
    std::variant<T, Status> content_;
};

}  // namespace fanout
