// The worked example of docs/record-format.md is byte for byte what the writer makes.
#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "fanout/wire/record_reader.hpp"
#include "fanout/wire/record_writer.hpp"

using namespace fanout::wire;

namespace {

using Buffer = std::vector<std::uint8_t>;

constexpr std::uint64_t kCommitLsn = 0x16B3748;
constexpr std::uint64_t kEndLsn = 0x16B3778;
constexpr std::int64_t kCommitTime = 828961200123456;
constexpr std::uint32_t kEpoch = 7;
constexpr std::uint32_t kTable = 16385;

template <typename Fill>
Buffer make(Kind kind, std::uint64_t index, Fill fill) {
    Buffer buffer(1024);
    RecordWriter writer(buffer.data(), buffer.size());
    writer.start(kind, 0, kEpoch, kCommitLsn, index);
    fill(writer);
    buffer.resize(writer.finish());
    return buffer;
}

Buffer begin_record() {
    return make(Kind::begin, 0, [](auto& writer) {
        writer.put(BeginBody{kEndLsn, kCommitTime, 741, 0});
    });
}

Buffer relation_record() {
    return make(Kind::relation, 0, [](auto& writer) {
        writer.put(
            RelationBody{kTable, 1, static_cast<std::uint8_t>(Identity::by_default), 'r', 2, 1, 0});
        writer.put_text("public");
        writer.put_text("orders");
        const std::uint8_t id_flags = kColumnKey | kColumnNotNull | kColumnPrimaryKey;
        writer.put(
            ColumnBody{23, -1, 1, static_cast<std::uint8_t>(ValueClass::fixed), id_flags, 4, 0});
        writer.put_text("id");
        writer.put_text("integer");
        writer.put(ColumnBody{25, -1, 2, static_cast<std::uint8_t>(ValueClass::bytes), 0, 0, 0});
        writer.put_text("note");
        writer.put_text("text");
        writer.put(std::uint32_t{3});
    });
}

Buffer insert_record() {
    return make(Kind::insert, 1, [](auto& writer) {
        const std::int32_t id = 1;
        writer.put(RowBody{kTable, 1, 0, {}});
        writer.put_fixed(&id, sizeof id);
        writer.put_sized("hi", 2);
    });
}

Buffer commit_record() {
    return make(Kind::commit, 0, [](auto& writer) {
        writer.put(CommitBody{kEndLsn, kCommitTime, 1});
    });
}

/// The hex blocks of the page by the word in front of them: `begin`, then a fenced block.
std::map<std::string, Buffer> documented_records() {
    std::ifstream page(FANOUT_DOCS_DIR "/record-format.md");
    std::map<std::string, Buffer> records;
    std::string line, name;
    bool inside = false;
    while (std::getline(page, line)) {
        if (line.size() > 2 && line.front() == '`' && line.back() == '`' && line[1] != '`') {
            name = line.substr(1, line.size() - 2);
        } else if (line.rfind("```", 0) == 0) {
            inside = line == "```" && !inside && !name.empty();
            if (!inside) name.clear();
        } else if (inside) {
            std::istringstream words(line.substr(5));
            for (std::string word; words >> word;) {
                records[name].push_back(static_cast<std::uint8_t>(std::stoul(word, nullptr, 16)));
            }
        }
    }
    return records;
}

}  // namespace

TEST(RecordExample, the_page_shows_what_the_writer_makes) {
    const auto documented = documented_records();
    EXPECT_EQ(documented.size(), 4u);
    EXPECT_EQ(documented.at("begin"), begin_record());
    EXPECT_EQ(documented.at("relation"), relation_record());
    EXPECT_EQ(documented.at("insert"), insert_record());
    EXPECT_EQ(documented.at("commit"), commit_record());
}

TEST(RecordExample, the_reader_accepts_it) {
    for (const auto& [name, bytes] : documented_records()) {
        RecordView record;
        EXPECT_EQ(read_record(bytes, record), Refusal::none) << name;
        EXPECT_EQ(record.whole.size(), bytes.size()) << name;
    }
}
