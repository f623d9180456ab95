// A connector in this process that does what a test says: reject, fail before or after the effect,
// hold, and remember everything. One script at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fanout/connector/connector.hpp"

namespace fanout::testing {

/// A fault of one call: `outcome` instead of ok. `after`: the effect happened all the same.
struct Fault {
    fanout_outcome outcome = FANOUT_RETRY;
    bool after = false;
    bool exception = false;  // not classified: a plain exception
};

/// A change as text: "insert t id=1", "update t id=1 note=?", "truncate t,u", "message app:hello".
struct DeliveredTransaction {
    Lsn commit_lsn = 0;
    std::vector<std::string> changes;
    int parts = 0;
    friend bool operator==(const DeliveredTransaction&, const DeliveredTransaction&) = default;
};

class Script {
  public:
    Script() { present() = this; }
    ~Script() { present() = nullptr; }
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;

    static Script*& present() {
        static Script* script = nullptr;
        return script;
    }

    void fail(const std::string& call, Fault fault, int times = 1) {
        const std::lock_guard lock(mutex_);
        for (int i = 0; i < times; ++i)
            faults_[call].push_back(fault);
    }
    std::vector<DeliveredTransaction> durable() {
        const std::lock_guard lock(mutex_);
        return durable_;
    }
    int calls(const std::string& name) {
        const std::lock_guard lock(mutex_);
        return calls_[name];
    }
    fanout_cursor cursor() {
        const std::lock_guard lock(mutex_);
        return cursor_;
    }
    void set_cursor(fanout_cursor cursor) {
        const std::lock_guard lock(mutex_);
        cursor_ = cursor;
    }
    std::map<std::string, std::string> options() {
        const std::lock_guard lock(mutex_);
        return options_;
    }

    /// While set, write() does not return until interrupt().
    std::atomic<bool> hold_writes{false};
    /// While set, an AheadConnector finishes nothing unless it is waited for.
    std::atomic<bool> hold_flushes{false};
    /// While set, an AheadConnector that is waited for finishes all it has, however little was
    /// asked.
    std::atomic<bool> finish_all{false};
    std::atomic<int> ahead_max{0};  // most writes an AheadConnector had and was not done with
    std::atomic<int> interrupts{0};
    std::atomic<std::uint64_t> epoch{0};

  private:
    friend class ScriptedConnector;
    friend class AheadConnector;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::deque<Fault>> faults_;
    std::map<std::string, int> calls_;
    std::map<std::string, std::string> options_;
    std::vector<DeliveredTransaction> durable_;
    fanout_cursor cursor_{};
};

class ScriptedConnector : public connector::Connector {
  public:
    ScriptedConnector(const connector::Options& options, const fanout_host& host)
        : script_(*Script::present()), host_(host) {
        const std::lock_guard lock(script_.mutex_);
        script_.options_ = {{"colour", options.text("colour")}};
    }

    fanout_cursor open(const fanout_session& session) override {
        script_.epoch = session.epoch;
        const Call call(*this, "open");
        const std::lock_guard lock(script_.mutex_);
        staged_.clear();
        return script_.cursor_;
    }
    void write(const fanout_batch& batch) override {
        hold();
        const Call call(*this, "write");
        for (std::size_t i = 0; i < batch.transaction_count; ++i)
            stage(batch.transactions[i]);
    }
    void flush(const fanout_cursor& cursor) override {
        Call call(*this, "flush");
        const std::lock_guard lock(script_.mutex_);
        for (auto& transaction : staged_)
            script_.durable_.push_back(std::move(transaction));
        staged_.clear();
        script_.cursor_ = cursor;
        call.done();
    }
    void close() noexcept override { staged_.clear(); }
    void interrupt() noexcept override {
        ++script_.interrupts;
        script_.hold_writes = false;
        script_.changed_.notify_all();
    }
    void test() override {}

  protected:
    /// Counts a call and plays the fault that is due for it.
    class Call {
      public:
        Call(ScriptedConnector& connector, const char* name) : name_(name) {
            const std::lock_guard lock(connector.script_.mutex_);
            ++connector.script_.calls_[name];
            auto& faults = connector.script_.faults_[name];
            if (faults.empty()) return;
            fault_ = faults.front();
            faults.pop_front();
            armed_ = true;
            if (!fault_.after) play();
        }
        void done() const {
            if (armed_ && fault_.after) play();
        }

      private:
        void play() const {
            if (fault_.exception) throw std::runtime_error("not classified");
            throw connector::ConnectorError(fault_.outcome,
                                            std::string(name_) + " was told to fail",
                                            "mend the script", {0x1000, 2});
        }
        const char* name_;
        Fault fault_;
        bool armed_ = false;
    };

    void hold() {
        std::unique_lock lock(script_.mutex_);
        if (!script_.hold_writes) return;
        while (script_.hold_writes && host_.stopping(host_.context) == 0)
            script_.changed_.wait_for(lock, std::chrono::milliseconds(5));
        throw connector::ConnectorError(FANOUT_RETRY, "interrupted");
    }

    static std::string text(const fanout_table& table) {
        return std::string(connector::view(table.name));
    }
    static std::string image(const fanout_table& table, const fanout_value* values) {
        std::string out;
        for (std::size_t i = 0; i < table.column_count; ++i) {
            if (values[i].state == FANOUT_ABSENT) continue;
            out += " " + std::string(connector::view(table.columns[i].name)) + "=";
            if (values[i].state == FANOUT_UNCHANGED) {
                out += "?";
            } else if (values[i].state == FANOUT_NULL) {
                out += "null";
            } else {
                out.append(reinterpret_cast<const char*>(values[i].data), values[i].size);
            }
        }
        return out;
    }
    static std::string text(const fanout_change& change) {
        std::string tables;
        switch (change.op) {
            case FANOUT_INSERT:
                return "insert " + text(*change.table) + image(*change.table, change.after);
            case FANOUT_UPDATE:
                return "update " + text(*change.table) +
                       (change.before != nullptr ? image(*change.table, change.before) + " ->"
                                                 : "") +
                       image(*change.table, change.after);
            case FANOUT_DELETE:
                return "delete " + text(*change.table) + image(*change.table, change.before);
            case FANOUT_TRUNCATE:
                for (std::size_t i = 0; i < change.table_count; ++i)
                    tables += (i == 0 ? "" : ",") + text(*change.tables[i]);
                return "truncate " + tables;
            default:
                return "message " + std::string(connector::view(change.prefix)) + ":" +
                       std::string(connector::view(change.content));
        }
    }
    void stage(const fanout_transaction& transaction) {
        if (transaction.begins != 0) staged_.push_back({transaction.commit_lsn, {}, 0});
        if (staged_.empty() || staged_.back().commit_lsn != transaction.commit_lsn)
            throw connector::ConnectorError(FANOUT_FATAL, "a part without its beginning");
        ++staged_.back().parts;
        for (std::size_t i = 0; i < transaction.change_count; ++i)
            staged_.back().changes.push_back(text(transaction.changes[i]));
    }

    Script& script_;
    const fanout_host& host_;
    std::vector<DeliveredTransaction> staged_;
};

/// With FANOUT_CAP_FLUSH_AHEAD: looks into its batches only when it finishes them.
class AheadConnector final : public ScriptedConnector {
  public:
    using ScriptedConnector::ScriptedConnector;

    fanout_cursor open(const fanout_session& session) override {
        pending_.clear();
        writes_done_ = flushes_done_ = 0;
        return ScriptedConnector::open(session);
    }
    void write(const fanout_batch& batch) override {
        const Call call(*this, "write");
        pending_.push_back({batch, {}, false});
        script_.ahead_max = std::max<int>(script_.ahead_max, static_cast<int>(pending_.size()));
    }
    void flush(const fanout_cursor& cursor) override {
        const Call call(*this, "flush");
        if (pending_.empty() || pending_.back().flushed) pending_.push_back({{}, {}, false});
        pending_.back().cursor = cursor;
        pending_.back().flushed = true;
    }
    fanout_progress settle(fanout_settle until) override {
        Call call(*this, "settle");
        std::size_t finish = pending_.size();
        if (until == FANOUT_SETTLE_NOTHING && script_.hold_flushes) finish = 0;
        if (until == FANOUT_SETTLE_ONE && !script_.finish_all)
            finish = std::min<std::size_t>(finish, 1);
        for (; finish > 0; --finish) {
            finish_first();
            call.done();  // what is behind is lost with the connection
        }
        return progress();
    }
    fanout_progress progress() const noexcept override { return {writes_done_, flushes_done_}; }
    void close() noexcept override { pending_.clear(); }

  private:
    struct Pending {
        fanout_batch batch{};
        fanout_cursor cursor{};
        bool flushed = false;
    };

    void finish_first() {
        const Pending one = pending_.front();
        pending_.pop_front();
        for (std::size_t i = 0; i < one.batch.transaction_count; ++i)
            stage(one.batch.transactions[i]);
        if (one.batch.transaction_count != 0) ++writes_done_;
        if (!one.flushed) return;
        ScriptedConnector::flush(one.cursor);
        ++flushes_done_;
    }

    std::deque<Pending> pending_;
    std::uint64_t writes_done_ = 0, flushes_done_ = 0;
};

/// The connector "scripted" with these capabilities; it has one option, "colour".
inline fanout_connector scripted_connector(std::uint32_t capabilities) {
    static const fanout_option_spec options[] = {
        {"colour", FANOUT_OPTION_ENUM, "red", "its colour", "red|green", 0}};
    fanout_connector entry{};
    entry.name = "scripted";
    entry.version = "1";
    entry.summary = "does what a test says";
    entry.capabilities = capabilities;
    entry.options = options;
    entry.option_count = 1;
    if ((capabilities & FANOUT_CAP_FLUSH_AHEAD) != 0)
        return connector::detail::make_entry<AheadConnector>(entry);
    return connector::detail::make_entry<ScriptedConnector>(entry);
}

}  // namespace fanout::testing
