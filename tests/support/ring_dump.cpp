// A consumer for tests: attaches to a decoding worker as fanoutd does, walks the ring and prints
// one line per record. It can also misbehave on purpose.
//
//   ring_dump --socket PATH --token TOKEN [options]
//     --until-lsn N      stop after a commit or keepalive at or beyond it (decimal)
//     --seconds N        stop after that time (default 10)
//     --no-ack           never acknowledge durability
//     --quiet            count only; the last line has the counts
//     --patient          sleep until the bell rings, however long that is
//     --version N        say hello with this protocol version
//     --hold N           stop reading after N records, keep the connection
//     --lie tail|ack     after the first record write an impossible value, then wait for the end
//     --chatter          send a packet after the handshake, then wait for the end
//     --attack           try to resize and to write the segments; prints what was refused
//     --storm random|flip  after the first record write nonsense into the acknowledgements until
//     the end
//
// Exit codes: 0 stopped by itself, 2 refused by the worker, 3 the worker left, 4 bad records.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "fanout/base/ids.hpp"
#include "fanout/ring/handshake.hpp"
#include "fanout/ring/ring_reader.hpp"
#include "fanout/wire/ddl_format.hpp"
#include "fanout/wire/record_reader.hpp"
#include "hostile_consumer.hpp"

namespace {

using namespace fanout;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string socket, token, lie, storm;
    std::uint64_t until_lsn = 0;
    double seconds = 10;
    long hold = -1;
    int version = ring::kProtocolVersion;
    bool ack = true, quiet = false, patient = false, chatter = false, attack = false;
};

[[noreturn]] void die(const std::string& text) {
    std::fprintf(stderr, "ring_dump: %s: %s\n", text.c_str(), std::strerror(errno));
    std::exit(1);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        const auto value = [&]() -> const char* {
            if (i + 1 >= argc) die("missing value of " + name);
            return argv[++i];
        };
        if (name == "--socket")
            options.socket = value();
        else if (name == "--token")
            options.token = value();
        else if (name == "--until-lsn")
            options.until_lsn = std::strtoull(value(), nullptr, 10);
        else if (name == "--seconds")
            options.seconds = std::strtod(value(), nullptr);
        else if (name == "--hold")
            options.hold = std::strtol(value(), nullptr, 10);
        else if (name == "--version")
            options.version = std::atoi(value());
        else if (name == "--lie")
            options.lie = value();
        else if (name == "--no-ack")
            options.ack = false;
        else if (name == "--quiet")
            options.quiet = true;
        else if (name == "--patient")
            options.patient = true;
        else if (name == "--chatter")
            options.chatter = true;
        else if (name == "--attack")
            options.attack = true;
        else if (name == "--storm")
            options.storm = value();
        else
            die("unknown option " + name);
    }
    return options;
}

int connect_to(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("connect");
    return fd;
}

void say_hello(int fd, const Options& options) {
    ring::Hello hello{};
    hello.magic = ring::kHelloMagic;
    hello.version_min = hello.version_max = static_cast<std::uint16_t>(options.version);
    std::memcpy(hello.token, options.token.data(),
                std::min(options.token.size(), sizeof hello.token));
    if (send(fd, &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello) die("send hello");
}

struct Attachment {
    int socket = -1;
    ring::Welcome welcome{};
    int descriptors[ring::kDescriptorCount] = {-1, -1, -1, -1};
    const ring::DataHeader* header = nullptr;
    ring::AckHeader* ack = nullptr;
    const std::uint8_t* data = nullptr;
};

void receive_welcome(Attachment& at) {
    iovec payload{&at.welcome, sizeof at.welcome};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof at.descriptors)] = {};
    msghdr message{};
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(at.socket, &message, MSG_CMSG_CLOEXEC);
    if (got == 0) {
        std::printf("closed without a welcome\n");
        std::exit(2);
    }
    if (got != sizeof at.welcome || at.welcome.magic != ring::kWelcomeMagic) die("welcome");
    if (at.welcome.status != 0) {
        std::printf("refused status=%u text=%s\n", at.welcome.status, at.welcome.text);
        std::exit(2);
    }
    const cmsghdr* rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr || rights->cmsg_len != CMSG_LEN(sizeof at.descriptors)) die("rights");
    std::memcpy(at.descriptors, CMSG_DATA(rights), sizeof at.descriptors);
}

void map_segments(Attachment& at) {
    const std::size_t capacity = at.welcome.capacity;
    const std::size_t once = ring::kHeaderBytes + capacity;
    auto* base = static_cast<std::uint8_t*>(
        mmap(nullptr, once + capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const int data = at.descriptors[ring::kDataSegment];
    if (mmap(base, once, PROT_READ, MAP_SHARED | MAP_FIXED, data, 0) == MAP_FAILED ||
        mmap(base + once, capacity, PROT_READ, MAP_SHARED | MAP_FIXED, data, ring::kHeaderBytes) ==
            MAP_FAILED) {
        die("mmap data");
    }
    void* ack = mmap(nullptr, ring::kAckBytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                     at.descriptors[ring::kAckSegment], 0);
    if (ack == MAP_FAILED) die("mmap ack");
    at.header = reinterpret_cast<const ring::DataHeader*>(base);
    at.ack = static_cast<ring::AckHeader*>(ack);
    at.data = base + ring::kHeaderBytes;
}

std::int64_t now_micros() {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count() -
           kPgEpochOffsetSeconds * 1'000'000;
}

class Dump {
  public:
    explicit Dump(bool quiet) : quiet_(quiet) {}

    std::map<int, std::uint64_t> counts;
    std::uint64_t durable = 0;  // what may be acknowledged
    std::uint64_t records = 0;
    std::vector<std::int64_t> delays;  // commit timestamp to here, microseconds

    void take(const wire::RecordView& record) {
        ++records;
        ++counts[record.header.kind];
        wire::BodyCursor body(record.body);
        const auto& header = record.header;
        switch (record.kind()) {
            case wire::Kind::begin:
                in_transaction_ = true;
                say("begin lsn=%" PRIu64 " xid=%u", header.lsn, body.take<wire::BeginBody>().xid);
                break;
            case wire::Kind::commit: {
                const auto commit = body.take<wire::CommitBody>();
                in_transaction_ = false;
                durable = commit.end_lsn;
                delays.push_back(now_micros() - commit.commit_time);
                say("commit lsn=%" PRIu64 " end=%" PRIu64 " changes=%" PRIu64, header.lsn,
                    commit.end_lsn, commit.change_count);
                break;
            }
            case wire::Kind::keepalive:
                if (in_transaction_) fault("keepalive inside a transaction");
                durable = header.lsn;
                say("keepalive lsn=%" PRIu64 " report=%d", header.lsn, header.flags & 1);
                break;
            case wire::Kind::relation:
                show_relation(body);
                break;
            case wire::Kind::insert:
            case wire::Kind::update:
            case wire::Kind::remove:
                show_row(record, body);
                break;
            case wire::Kind::truncate:
                say("truncate tables=%u flags=%u", body.take<wire::TruncateBody>().relation_count,
                    header.flags);
                break;
            case wire::Kind::ddl: {
                const auto ddl = body.take<wire::DdlBody>();
                say("ddl relation=%u kind=%u subscriptions=%u flags=%u", ddl.relation, ddl.kind,
                    ddl.wanted_count, header.flags);
                break;
            }
            case wire::Kind::sequence:
                say("sequence subscription=%u", body.take<wire::SequenceBody>().subscription);
                break;
            case wire::Kind::rewritten:
                say("rewritten relation=%u", body.take<wire::RowBody>().relation);
                break;
            case wire::Kind::message: {
                const auto message = body.take<wire::MessageBody>();
                const auto prefix = text_of(body.take_bytes(message.prefix_size));
                const auto content = text_of(body.take_bytes(message.content_size));
                say("message prefix=%s size=%zu content=%.200s", prefix.c_str(), content.size(),
                    content.c_str());
                break;
            }
            case wire::Kind::continuation:
                assemble(record, body);
                break;
            default:
                fault("unexpected kind");
        }
    }

    void summary() const {
        std::printf("records=%" PRIu64, records);
        for (const auto& [kind, count] : counts)
            std::printf(" k%d=%" PRIu64, kind, count);
        std::printf(" durable=%" PRIu64 "\n", durable);
        if (delays.empty()) return;
        auto sorted = delays;
        std::sort(sorted.begin(), sorted.end());
        const auto at = [&](double share) {
            return sorted[static_cast<std::size_t>(share * double(sorted.size() - 1))];
        };
        std::fprintf(stderr, "delay us p50 %" PRId64 " p90 %" PRId64 " p99 %" PRId64 "\n", at(0.5),
                     at(0.9), at(0.99));
    }

    [[noreturn]] static void fault(const char* text) {
        std::printf("BAD %s\n", text);
        std::exit(4);
    }

  private:
    struct Column {
        std::string name;
        wire::ValueClass value_class;
        std::uint16_t width;
    };

    __attribute__((format(printf, 2, 3))) void say(const char* format, ...) const {
        if (quiet_) return;
        va_list arguments;
        va_start(arguments, format);
        std::vprintf(format, arguments);
        va_end(arguments);
        std::printf("\n");
    }

    static std::string text_of(wire::Bytes bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    void show_relation(wire::BodyCursor& body) {
        const auto relation = body.take<wire::RelationBody>();
        const std::string schema(body.take_text());
        const std::string name(body.take_text());
        std::string line = schema + "." + name;
        std::vector<Column> columns;
        for (int i = 0; i < relation.column_count; ++i) {
            const auto column = body.take<wire::ColumnBody>();
            columns.push_back({std::string(body.take_text()),
                               static_cast<wire::ValueClass>(column.value_class), column.width});
            line += " " + columns.back().name + ":" + std::string(body.take_text()) + "/c" +
                    std::to_string(column.value_class) + "/f" + std::to_string(column.flags);
        }
        line += " wanted=";
        for (int i = 0; i < relation.wanted_count; ++i) {
            line += std::to_string(body.take<std::uint32_t>()) + ",";
        }
        line += " denied=";
        for (int i = 0; i < relation.denied_count; ++i) {
            line += std::to_string(body.take<std::uint32_t>()) + ",";
        }
        if (!body.at_end()) fault("relation record");
        tables_[relation.relation] = {relation.version, name, columns};
        say("relation v%u identity=%c %s", relation.version, relation.identity, line.c_str());
    }

    std::string image(wire::BodyCursor& body, const std::vector<Column>& columns) {
        std::string line = "(";
        for (const auto& column : columns) {
            wire::ValueView value;
            if (wire::take_value(body, column.width, value) != wire::Refusal::none) fault("value");
            if (value.tag == wire::Tag::absent) continue;
            line += line.size() > 1 ? " " : "";
            line += column.name + "=";
            if (value.tag == wire::Tag::null) line += "null";
            if (value.tag == wire::Tag::unchanged) line += "unchanged";
            if (value.tag == wire::Tag::present) line += show(column, value.data);
        }
        return line + ")";
    }

    static std::string show(const Column& column, wire::Bytes data) {
        if (column.value_class == wire::ValueClass::fixed && data.size() <= 8) {
            std::uint64_t number = 0;
            std::memcpy(&number, data.data(), data.size());
            return std::to_string(number);
        }
        const bool text = column.value_class == wire::ValueClass::bytes ||
                          column.value_class == wire::ValueClass::text;
        if (text && data.size() <= 200) return text_of(data);
        return "<" + std::to_string(data.size()) + " bytes>";
    }

    void show_row(const wire::RecordView& record, wire::BodyCursor& body) {
        if (!in_transaction_) fault("row outside a transaction");
        const auto row = body.take<wire::RowBody>();
        const auto table = tables_.find(row.relation);
        if (table == tables_.end() || table->second.version != row.version) fault("no relation");
        static constexpr const char* kNames[] = {"insert", "update", "delete"};
        std::string line = kNames[record.header.kind - static_cast<int>(wire::Kind::insert)];
        line += " " + table->second.name + " index=" + std::to_string(record.header.index);
        const auto& columns = table->second.columns;
        if (row.old_image != 0) {
            line += row.old_image == 1 ? " key" : " old";
            line += image(body, columns);
        }
        if (record.kind() != wire::Kind::remove) line += " new" + image(body, columns);
        if (!body.at_end()) fault("bytes left over in a row");
        say("%s", line.c_str());
    }

    void assemble(const wire::RecordView& record, wire::BodyCursor& body) {
        const auto piece = body.take<wire::ContinuationBody>();
        if (piece.offset != pieces_.size()) fault("pieces out of order");
        const auto size = std::min<std::uint64_t>(body.rest(), piece.total_size - piece.offset);
        const auto bytes = body.take_bytes(size);
        pieces_.insert(pieces_.end(), bytes.begin(), bytes.end());
        if ((record.header.flags & wire::kFlagLastPiece) == 0) return;
        if (pieces_.size() != piece.total_size) fault("pieces do not add up");
        wire::RecordView whole;
        const auto refusal = wire::read_record(pieces_, whole, wire::kWholeRecordBytesMax);
        if (refusal != wire::Refusal::none) fault(wire::refusal_text(refusal));
        say("assembled %zu bytes", pieces_.size());
        const auto bytes_of_whole = std::move(pieces_);
        pieces_.clear();
        take(whole);
    }

    struct Table {
        std::uint32_t version;
        std::string name;
        std::vector<Column> columns;
    };
    bool quiet_;
    bool in_transaction_ = false;
    std::map<std::uint32_t, Table> tables_;
    std::vector<std::uint8_t> pieces_;
};

/// Prints the farewell if there is one; the connection's end means the worker left.
bool worker_left(int socket) {
    ring::Farewell farewell{};
    const ssize_t got = recv(socket, &farewell, sizeof farewell, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return false;
    if (got == sizeof farewell) {
        std::printf("farewell %s %s\n", farewell.sqlstate, farewell.text);
    } else {
        std::printf("closed\n");
    }
    return true;
}

void ring_bell(int bell) {
    const std::uint64_t one = 1;
    (void)!write(bell, &one, sizeof one);
}

void wait_for(int bell, int socket, int timeout_ms) {
    pollfd events[] = {{bell, POLLIN, 0}, {socket, POLLIN, 0}};
    poll(events, 2, timeout_ms);
    std::uint64_t rings = 0;
    if ((events[0].revents & POLLIN) != 0) (void)!read(bell, &rings, sizeof rings);
}

void tell_a_lie(const Attachment& at, const std::string& what) {
    if (what == "tail") at.ack->tail.store(1ULL << 40, std::memory_order_release);
    if (what == "tail-odd") at.ack->tail.store(3, std::memory_order_release);
    if (what == "ack") at.ack->durable_lsn.store(~0ULL >> 1, std::memory_order_release);
    ring_bell(at.descriptors[ring::kSpaceReady]);
}

int walk(const Attachment& at, const Options& options) {
    ring::RingReader reader(at.header, at.ack, at.data, at.welcome.capacity);
    Dump dump(options.quiet);
    const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
    bool left = false, lied = false;
    while (Clock::now() < end) {
        const bool holding =
            lied || (options.hold >= 0 && dump.records >= std::uint64_t(options.hold));
        auto bytes = holding ? wire::Bytes{} : reader.peek();
        if (reader.broken()) Dump::fault("head is impossible");
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            wire::RecordView record;
            const auto refusal = wire::read_record(bytes.subspan(taken), record);
            if (refusal != wire::Refusal::none) Dump::fault(wire::refusal_text(refusal));
            if (record.header.epoch != at.welcome.epoch) Dump::fault("wrong epoch");
            dump.take(record);
            taken += record.whole.size();
            if (options.hold >= 0 && dump.records >= std::uint64_t(options.hold)) break;
        }
        if (taken > 0 && !options.storm.empty()) {
            const auto writes = fanout::testing::storm(*at.ack, options.storm == "flip", [&] {
                ring_bell(at.descriptors[ring::kSpaceReady]);
                left = worker_left(at.socket);
                return left || Clock::now() >= end;
            });
            std::printf("storm %" PRIu64 "\n", writes);
            break;
        }
        if (taken > 0 && !lied && !options.lie.empty()) {
            tell_a_lie(at, options.lie);
            lied = true;
        }
        if (lied) taken = 0;
        if (taken > 0 && reader.advance(taken)) {
            ring_bell(at.descriptors[ring::kSpaceReady]);
        }
        if (options.ack && !lied && dump.durable != 0) {
            at.ack->durable_lsn.store(dump.durable, std::memory_order_release);
        }
        if (options.until_lsn != 0 && dump.durable >= options.until_lsn) break;
        if (taken > 0) continue;
        if (left) break;
        left = worker_left(at.socket);
        if (left) continue;  // drain once more
        reader.announce_wait();
        if (holding || reader.peek().empty()) {
            wait_for(at.descriptors[ring::kDataReady], at.socket, options.patient ? -1 : 100);
        }
        reader.end_wait();
    }
    dump.summary();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::fprintf(stderr, "consumer cpu %.3f s\n",
                 double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    return left ? 3 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    const Options options = parse(argc, argv);
    Attachment at;
    at.socket = connect_to(options.socket);
    say_hello(at.socket, options);
    receive_welcome(at);
    map_segments(at);
    std::printf("welcome epoch=%u capacity=%" PRIu64 " start=%" PRIu64 "\n", at.welcome.epoch,
                at.welcome.capacity, at.welcome.start_lsn);
    if (options.attack) {
        auto* mapped = const_cast<ring::DataHeader*>(at.header);
        fanout::testing::attack_segments(at.descriptors[ring::kDataSegment],
                                         at.descriptors[ring::kAckSegment], mapped);
    }
    if (options.chatter) (void)send(at.socket, "hi", 2, MSG_NOSIGNAL);
    return walk(at, options);
}
