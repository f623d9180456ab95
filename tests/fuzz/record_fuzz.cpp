// Any bytes as a ring's content: walked, planned, and every field of what is accepted read.
#include <cstdlib>

#include "sidecar/drain/span_walk.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/unit/wire/sample_records.hpp"

using namespace fanout;

namespace {

/// Without checksums, which random bytes would hardly ever pass.
void read_fields(wire::Bytes bytes) {
    wire::RecordView record;
    if (wire::read_frame(bytes, record) != wire::Refusal::none) return;
    wire::BodyCursor values(record.body);
    values.take<wire::RowBody>();
    wire::ValueView value;
    while (wire::take_value(values, static_cast<std::uint16_t>(record.header.flags), value) ==
               wire::Refusal::none &&
           values.rest() > 0) {
        if (value.data.size() > bytes.size()) std::abort();
    }
    wire::BodyCursor texts(record.body);
    texts.take<wire::RelationBody>();
    while (texts.ok() && texts.rest() > 0) {
        if (texts.take_text().size() > bytes.size()) std::abort();
    }
    (void)drain::read_config_message(record);
    journal::StreamState state;
    (void)state.is_relation(record);
    (void)state.advance(record);
}

/// Most inputs would end at their first checksum: every other one (by its last byte) is made right.
void mend_checksums(std::vector<std::uint8_t>& input) {
    if (input.empty() || input.back() % 2 != 0) return;
    wire::RecordView record;
    for (std::size_t at = 0; at < input.size(); at += record.whole.size()) {
        const wire::Bytes rest = wire::Bytes(input).subspan(at);
        if (wire::read_frame(rest, record) != wire::Refusal::none) return;
        const auto checksum = wire::record_checksum(record.whole.data(), record.whole.size());
        std::memcpy(input.data() + at + offsetof(wire::RecordHeader, checksum), &checksum,
                    sizeof checksum);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::uint8_t> input(data, data + size);
    mend_checksums(input);
    const wire::Bytes bytes(input);
    read_fields(bytes);
    drain::SpanWalk walk(3);
    journal::StreamState state;
    (void)walk.plan(bytes, state, false);
    std::size_t planned = 0;
    for (const auto& run : walk.append().runs)
        planned += run.size();
    if (planned > walk.consumed() || walk.consumed() > size) std::abort();
    return 0;
}

namespace fanout::testing {

std::vector<FuzzInput> fuzz_seeds() {
    std::vector<FuzzInput> seeds;
    for (auto& [name, bytes] : sample_records())
        seeds.push_back(bytes);
    SampleStream stream(3);
    stream.transaction(0x1000, 3, true);
    stream.begin(0x2000);
    stream.message("pg_fanout.config", R"({"op":"add","id":7})");
    stream.insert(100, std::string(3000, 'x'));
    stream.cut_last_into_pieces(800);
    stream.commit();
    stream.keepalive(0x3000);
    seeds.push_back(stream.bytes);
    return seeds;
}

std::size_t fuzz_rounds() {
    return 200'000;
}

}  // namespace fanout::testing
