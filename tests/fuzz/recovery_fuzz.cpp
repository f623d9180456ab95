// Any bytes as the only segment of a journal: opened or refused, and what is opened can be read.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sidecar/drain/span_walk.hpp"
#include "sidecar/journal/journal.hpp"
#include "sidecar/journal/segment_format.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/unit/sample_stream.hpp"

using namespace fanout;

namespace {

/// In memory: only the parsing is of interest, not the disk.
std::filesystem::path directory() {
    static const auto path =
        std::filesystem::path("/dev/shm") / ("fanout-fuzz-" + std::to_string(::getpid()));
    return path;
}

struct RemovedAtExit {
    RemovedAtExit() { directory(); }  // made first, so destroyed last
    ~RemovedAtExit() {
        std::error_code ignored;
        std::filesystem::remove_all(directory(), ignored);
    }
} removed_at_exit;

const journal::SourceIdentity kIdentity{"7000", 5, "main", "uuid", 1};

void read_all(journal::Journal& opened) {
    auto reader = opened.new_reader();
    if (!reader->seek(opened.first_lsn())) return;
    wire::RecordView record;
    while (reader->next(record) == journal::ReadOutcome::record) {
        if (record.kind() == wire::Kind::continuation) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::filesystem::remove_all(directory());
    std::filesystem::create_directories(directory());
    // The header's own checksum would refuse nearly all inputs: it is made right again.
    std::vector<std::uint8_t> bytes(data, data + size);
    if (bytes.size() >= sizeof(journal::SegmentHeader) && bytes.back() % 4 != 0) {
        journal::SegmentHeader header;
        std::memcpy(&header, bytes.data(), sizeof header);
        header.checksum = journal::header_checksum(header);
        std::memcpy(bytes.data(), &header, sizeof header);
    }
    std::ofstream(directory() / journal::segment_file_name(1), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    auto opened = journal::Journal::open(directory(), kIdentity, {});
    if (!opened.is_ok()) {
        if (opened.status().text().empty()) std::abort();
        return 0;
    }
    read_all(*opened.value());
    return 0;
}

namespace fanout::testing {

std::vector<FuzzInput> fuzz_seeds() {
    std::filesystem::remove_all(directory());
    {
        auto opened = journal::Journal::open(directory(), kIdentity, {});
        if (!opened.is_ok() || !opened.value()->begin_attachment(0x100, 1).is_ok()) std::abort();
        SampleStream stream;
        stream.transaction(0x1000, 3, true);
        stream.begin(0x2000);
        stream.insert(100, std::string(3000, 'x'));
        stream.cut_last_into_pieces(800);
        stream.commit();
        stream.keepalive(0x3000);
        drain::SpanWalk walk(1);
        if (!walk.plan(stream.view(), opened.value()->state(), false) ||
            !opened.value()->append(walk.append()).is_ok()) {
            std::abort();
        }
    }
    std::ifstream in(directory() / journal::segment_file_name(1), std::ios::binary);
    FuzzInput whole{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    whole.resize(journal::kSegmentHeaderBytes + 6000);
    return {whole};
}

std::size_t fuzz_rounds() {
    return 3'000;
}

}  // namespace fanout::testing
