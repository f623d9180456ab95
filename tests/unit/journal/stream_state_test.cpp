// The grammar: what may follow what.
#include <gtest/gtest.h>

#include "sidecar/journal/stream_state.hpp"
#include "tests/unit/sample_stream.hpp"

namespace fanout::testing {
namespace {

/// The first complaint about the stream, or "".
std::string complaint(const SampleStream& stream, journal::StreamState state = {}) {
    auto rest = stream.view();
    while (!rest.empty()) {
        wire::RecordView record;
        EXPECT_EQ(wire::read_record(rest, record), wire::Refusal::none);
        if (const char* wrong = state.advance(record)) return wrong;
        rest = rest.subspan(record.whole.size());
    }
    return "";
}

/// The stream must be refused with a text that holds `part`.
template <typename Build>
void refuse(const char* part, const Build& build) {
    SampleStream stream;
    stream.transaction(0x100, 1, true);
    build(stream);
    const auto text = complaint(stream);
    EXPECT_NE(text.find(part), std::string::npos) << text << " instead of " << part;
}

TEST(StreamStateTest, AcceptsWhatAWorkerSends) {
    SampleStream stream;
    stream.keepalive(0x10);
    stream.transaction(0x100, 2, true);
    stream.message_outside(0x200, "p", "c");
    stream.begin(0x300);
    stream.message("p", std::string(5000, 'c'));
    stream.cut_last_into_pieces(800);
    stream.commit();
    EXPECT_EQ(complaint(stream), "");
}

TEST(StreamStateTest, RefusesTransactionsThatCannotBe) {
    refuse("begins inside", [](auto& s) { s.begin(0x200), s.begin(0x300); });
    refuse("commits before", [](auto& s) { s.begin(0x120); });
    refuse("outside a transaction", [](auto& s) { s.commit(); });
    refuse("outside a transaction", [](auto& s) { s.insert(1, "x"); });
    refuse("keepalive stands inside", [](auto& s) { s.begin(0x200), s.keepalive(0x300); });
    refuse("message from outside",
           [](auto& s) { s.begin(0x200), s.message_outside(0x210, "p", "c"); });
    refuse("lies in the past", [](auto& s) { s.message_outside(0x50, "p", "c"); });
}

TEST(StreamStateTest, RefusesPiecesAndPositionsThatCannotBe) {
    refuse("pieces of another", [](auto& s) {
        s.begin(0x200), s.insert(1, std::string(2000, 'x')), s.cut_last_into_pieces(800);
        s.bytes.resize(s.ends[s.ends.size() - 2]);
        s.insert(1, "x");
    });
    refuse("last piece", [](auto& s) {
        s.begin(0x200);
        s.put(wire::Kind::continuation, wire::kFlagLastPiece, 0x200, 0, [](auto& out) {
            out.put(wire::ContinuationBody{400, 0});
            wire::RecordHeader inner{400, 0, 5, 0, 0, 1, 0x200, 1};
            out.put(inner);
            out.put(std::uint64_t{0});
        });
    });
    refuse("may not come in pieces", [](auto& s) {
        s.put(wire::Kind::continuation, 0, 0x200, 0, [](auto& out) {
            out.put(wire::ContinuationBody{400, 0});
            wire::RecordHeader inner{400, 0, 1, 0, 0, 1, 0x200, 1};
            out.put(inner);
            out.put(std::uint64_t{0});
        });
    });
    refuse("out of order", [](auto& s) {
        s.put(wire::Kind::continuation, 0, 0x200, 0, [](auto& out) {
            out.put(wire::ContinuationBody{400, 8});
        });
    });
    refuse("may not come in this version",
           [](auto& s) { s.put(wire::Kind::stream_start, 0, 0x200, 0, [](auto&) {}); });
    refuse("where nothing is open",
           [](auto& s) { s.put(wire::Kind::abort, 0, 0x200, 0, [](auto&) {}); });
    refuse("positions of a transaction do not grow", [](auto& s) {
        s.begin(0x200);
        for (int i = 0; i < 2; ++i)
            s.put(wire::Kind::truncate, 0, 0x200, 1, [](auto&) {});
    });
    refuse("another transaction's position",
           [](auto& s) { s.begin(0x200), s.put(wire::Kind::truncate, 0, 0x201, 1, [](auto&) {}); });
    refuse("impossible positions", [](auto& s) {
        s.put(wire::Kind::begin, 0, 0x200, 0, [](auto& out) {
            out.put(wire::BeginBody{0x200, 0, 1, 0});
        });
    });
    refuse("does not match its begin", [](auto& s) {
        s.begin(0x200);
        s.put(wire::Kind::commit, 0, 0x208, 0, [](auto& out) {
            out.put(wire::CommitBody{0x230, 0, 0});
        });
    });
    refuse("counts fewer", [](auto& s) {
        s.begin(0x200), s.insert(1, "x");
        s.put(wire::Kind::commit, 0, 0x200, 0, [](auto& out) {
            out.put(wire::CommitBody{0x230, 0, 0});
        });
    });
}

}  // namespace
}  // namespace fanout::testing
