#include "tests/contract/subject.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace fanout::contract {
namespace {

/// Standard output of this process for the length of one call.
class Redirection {
  public:
    explicit Redirection(const std::string& path) {
        std::fflush(stdout);
        saved_ = ::dup(STDOUT_FILENO);
        const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ::dup2(file, STDOUT_FILENO);
        ::close(file);
    }
    ~Redirection() {
        ::dup2(saved_, STDOUT_FILENO);
        ::close(saved_);
    }

  private:
    int saved_;
};

}  // namespace

const fanout_connector& load_connector(const std::string& path) {
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* symbol = library != nullptr ? ::dlsym(library, FANOUT_CONNECTOR_ENTRY) : nullptr;
    if (symbol == nullptr) {
        std::fprintf(stderr, "%s: %s\n", path.c_str(), ::dlerror());
        std::exit(2);
    }
    return *reinterpret_cast<fanout_connector_entry_fn>(symbol)();
}

Instance::Instance(const fanout_connector& connector, const OptionValues& options,
                   const std::string& directory)
    : connector_(connector), standard_output_(directory + "/standard_output") {
    host_ = {.context = this,
             .log = [](void*, int, const char*) {},
             .stopping =
                 [](void* context) { return static_cast<Instance*>(context)->stopping_.load(); }};
    OptionValues complete = options;
    for (std::size_t i = 0; i < connector.option_count; ++i)
        if (connector.options[i].default_text != nullptr)
            complete.emplace(connector.options[i].name, connector.options[i].default_text);
    std::vector<fanout_option> list;
    for (const auto& [name, value] : complete)
        list.push_back({name.c_str(), value.c_str()});
    created_ = guarded([&](fanout_error* error) {
        return connector_.create(list.data(), list.size(), &host_, &self_, error);
    });
}

template <typename Call>
Outcome Instance::guarded(Call&& call) {
    const Redirection redirection(standard_output_);
    fanout_error error{};
    Outcome outcome;
    outcome.code = call(&error);
    if (outcome.code != FANOUT_OK)
        outcome = {outcome.code, error.message, error.hint, error.commit_lsn, error.index};
    return outcome;
}

Outcome Instance::open(const Session& session, fanout_cursor* cursor) {
    const fanout_session given = {.subscription = session.subscription.c_str(),
                                  .stream_identity = session.stream_identity.c_str(),
                                  .epoch = session.epoch,
                                  .create_tables = session.create_tables ? 1 : 0};
    fanout_cursor ignored{};
    return guarded([&](fanout_error* error) {
        return connector_.open(self_, &given, cursor != nullptr ? cursor : &ignored, error);
    });
}

Outcome Instance::write(const std::vector<fanout_transaction>& given) {
    const auto& transactions = kept_.emplace_back(given);
    if (kept_.size() > kKept) kept_.pop_front();
    fanout_batch batch{transactions.data(), transactions.size(), 0};
    for (const auto& transaction : transactions)
        batch.change_count += transaction.change_count;
    return guarded([&](fanout_error* error) { return connector_.write(self_, &batch, error); });
}

Outcome Instance::begin_flush(const fanout_cursor& cursor) {
    return guarded([&](fanout_error* error) { return connector_.flush(self_, &cursor, error); });
}

Outcome Instance::flush(const fanout_cursor& cursor) {
    const Outcome begun = begin_flush(cursor);
    if (begun.code != FANOUT_OK || connector_.settle == nullptr) return begun;
    return settle(FANOUT_SETTLE_DURABLE);
}

Outcome Instance::settle(fanout_settle until, fanout_progress* progress) {
    fanout_progress ignored{};
    return guarded([&](fanout_error* error) {
        return connector_.settle(self_, until, progress != nullptr ? progress : &ignored, error);
    });
}

Outcome Instance::test() {
    return guarded([&](fanout_error* error) { return connector_.test(self_, error); });
}

void Instance::close() {
    connector_.close(self_);
}

void Instance::interrupt() {
    connector_.interrupt(self_);
}

void Instance::destroy() {
    if (self_ != nullptr) connector_.destroy(self_);
    self_ = nullptr;
}

}  // namespace fanout::contract
