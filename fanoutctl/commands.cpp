// See commands.hpp. `watch` keeps the last frame when the connection is lost, says so, and goes on
// once the server is back.
#include "fanoutctl/commands.hpp"

#include <cstdio>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

#include "fanoutctl/screen.hpp"
#include "fanoutctl/session.hpp"
#include "fanoutctl/terminal.hpp"

namespace fanout::ctl {
namespace {

constexpr std::size_t kPaceSnapshots = 5;  // rows/s are those of the last few looks
constexpr int kPatienceMilliseconds = 10'000;

int fail(const Status& status) {
    std::fprintf(stderr, "fanoutctl: %s\n", status.text().c_str());
    return kExitNoAnswer;
}

void print(const std::vector<std::string>& lines) {
    for (const auto& line : lines)
        std::printf("%s\n", line.c_str());
}

void print_json(const std::string& text) {
    std::printf("%s\n", nlohmann::json::parse(text).dump(2).c_str());
}

Result<std::string> ask_once(const Invocation& invocation, const char* statement) {
    auto session = Session::open(invocation.source, plain_wait);
    if (!session.is_ok()) return session.status();
    return session.value().ask(statement, plain_wait);
}

int status(const Invocation& invocation) {
    const auto text = ask_once(invocation, kSnapshotSql);
    if (!text.is_ok()) return fail(text.status());
    if (invocation.json) {
        print_json(text.value());
        return 0;
    }
    const auto snapshot = parse_snapshot(text.value());
    if (!snapshot.is_ok()) return fail(snapshot.status());
    auto look = look_of_output(invocation.color);
    look.height = 0;
    FrameOptions options;
    options.every_backfill = invocation.all;
    print(frame_lines(snapshot.value(), options, look));
    return 0;
}

int check(const Invocation& invocation) {
    const auto text = ask_once(invocation, kCheckSql);
    if (!text.is_ok()) return fail(text.status());
    const auto rows = parse_check(text.value());
    if (!rows.is_ok()) return fail(rows.status());
    if (invocation.json) {
        print_json(text.value());
    } else {
        print(check_lines(rows.value(), look_of_output(invocation.color)));
    }
    return has_error(rows.value()) ? kExitTrouble : 0;
}

/// The state of a running `watch`.
class Watch {
  public:
    explicit Watch(const Invocation& invocation) : invocation_(invocation) {}

    int run() {
        // The first look is taken before the screen is: what fails now is worth reading afterwards.
        if (const auto first = look(plain_wait); !first.is_ok()) return fail(first);
        if (const auto entered = terminal_.enter(); !entered.is_ok()) {
            std::fprintf(stderr, "fanoutctl: %s\n", entered.text().c_str());
            return kExitUsage;
        }
        draw();
        const int pause = static_cast<int>(invocation_.interval_seconds * 1000);
        for (;;) {
            const auto event = terminal_.wait(-1, 0, pause);
            if (event == Event::quit) break;
            if (event == Event::timeout) take_look();
            if (quit_) break;
            draw();
        }
        return 0;
    }

  private:
    void take_look() {
        const auto outcome = look([this](int descriptor, short events) {
            for (;;) {
                const auto event = terminal_.wait(descriptor, events, kPatienceMilliseconds);
                if (event == Event::resized) {
                    draw();
                    continue;
                }
                quit_ = quit_ || event == Event::quit;
                return event == Event::ready;
            }
        });
        notice_ = outcome.is_ok() ? "" : outcome.text() + " (trying again)";
        if (!outcome.is_ok()) session_.reset();
    }

    Status look(const Wait& wait) {
        if (!session_) {
            auto session = Session::open(invocation_.source, wait);
            if (!session.is_ok()) return session.status();
            session_ = std::move(session.value());
            seen_.clear();
        }
        const auto text = session_->ask(kSnapshotSql, wait);
        if (!text.is_ok()) return text.status();
        auto snapshot = parse_snapshot(text.value());
        if (!snapshot.is_ok()) return snapshot.status();
        last_ = std::move(snapshot.value());
        if (!seen_.empty()) add_pace(last_, seen_.front());
        seen_.push_back(last_);
        if (seen_.size() > kPaceSnapshots) seen_.pop_front();
        return Status::ok();
    }

    void draw() {
        FrameOptions options;
        options.notice = notice_;
        options.keys = "q quits";
        terminal_.draw(frame_lines(last_, options, look_of_output(invocation_.color)));
    }

    const Invocation& invocation_;
    Terminal terminal_;
    std::optional<Session> session_;
    Snapshot last_;
    std::deque<Snapshot> seen_;
    std::string notice_;
    bool quit_ = false;
};

}  // namespace

int run(const Invocation& invocation) {
    switch (invocation.command) {
        case Command::check:
            return check(invocation);
        case Command::watch:
            if (!invocation.once) return Watch(invocation).run();
            [[fallthrough]];
        case Command::status:
            return status(invocation);
    }
    return kExitUsage;
}

}  // namespace fanout::ctl
