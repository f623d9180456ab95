#include "_kit/json_encoder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "_kit/tests/test_row.hpp"
#include "fanout/connector/connector.hpp"

namespace fanout::kit {
namespace {

constexpr std::int64_t kCommitTime = 848'656'800'123'456;  // 2026-11-22 10:00:00.123456 UTC

fanout_transaction transaction() {
    return {.commit_lsn = 0x1A2B3C8,
            .end_lsn = 0x1A2B3F8,
            .commit_time = kCommitTime,
            .xid = 741,
            .begins = 1,
            .ends = 1,
            .changes = nullptr,
            .change_count = 0};
}

std::string line(const fanout_change& change) {
    JsonEncoder encoder;
    std::string out;
    encoder.append(out, transaction(), change);
    return out;
}

nlohmann::json after(TestRow& row) {
    return nlohmann::json::parse(line(row.insert())).at("after");
}

std::string after_text(TestRow& row) {
    const std::string text = line(row.insert());
    const auto from = text.find("\"after\":") + 8;
    return text.substr(from, text.find(",\"unchanged\"") - from);
}

TEST(JsonEncoder, writes_the_documented_line_to_the_letter) {
    TestRow row("public", "orders");
    row.fixed<std::int32_t>("id", type_oid::kInt4, 1, kPrimaryKey);
    row.numeric("total", {0x8100, 12, 5000});
    EXPECT_EQ(line(row.insert()),
              R"({"op":"insert","schema":"public","table":"orders","xid":741,)"
              R"("lsn":"0/1A2B3C8","index":0,"commit_time":"2026-11-22T10:00:00.123456Z",)"
              R"("key":{"id":1},"before":null,"after":{"id":1,"total":12.50},"unchanged":[]})"
              "\n");
}

TEST(JsonEncoder, says_that_a_row_may_be_there_or_not) {
    TestRow row;
    row.fixed<std::int32_t>("id", type_oid::kInt4, 1, kPrimaryKey);
    fanout_change change = row.insert();
    EXPECT_FALSE(nlohmann::json::parse(line(change)).contains("lenient"));
    change.flags |= FANOUT_CHANGE_LENIENT;
    EXPECT_EQ(nlohmann::json::parse(line(change)).at("lenient"), true);
}

TEST(JsonEncoder, keeps_every_digit_of_integers) {
    TestRow row;
    row.fixed<std::int16_t>("a", type_oid::kInt2, std::numeric_limits<std::int16_t>::min());
    row.fixed<std::int32_t>("b", type_oid::kInt4, std::numeric_limits<std::int32_t>::min());
    row.fixed<std::int64_t>("c", type_oid::kInt8, std::numeric_limits<std::int64_t>::min());
    row.fixed<std::int64_t>("d", type_oid::kInt8, std::numeric_limits<std::int64_t>::max());
    row.fixed<std::uint32_t>("e", type_oid::kOid, 4294967295U);
    EXPECT_EQ(after_text(row), R"({"a":-32768,"b":-2147483648,"c":-9223372036854775808,)"
                               R"("d":9223372036854775807,"e":4294967295})");
}

TEST(JsonEncoder, writes_numbers_that_json_lacks_as_strings) {
    TestRow row;
    row.fixed<double>("nan", type_oid::kFloat8, std::nan(""));
    row.fixed<double>("inf", type_oid::kFloat8, std::numeric_limits<double>::infinity());
    row.fixed<float>("minus", type_oid::kFloat4, -std::numeric_limits<float>::infinity());
    row.numeric("n", {0xC000});
    row.fixed<double>("real", type_oid::kFloat8, 0.1);
    row.fixed<double>("big", type_oid::kFloat8, 1e300);
    row.fixed<float>("single", type_oid::kFloat4, 1.5F);
    EXPECT_EQ(after_text(row),
              R"({"nan":"NaN","inf":"Infinity","minus":"-Infinity","n":"NaN","real":0.1,)"
              R"("big":1e+300,"single":1.5})");
}

TEST(JsonEncoder, keeps_to_its_policy_where_json_has_no_place_for_a_value) {
    TestRow row;
    row.fixed<double>("nan", type_oid::kFloat8, std::nan(""));
    row.bytes("t", type_oid::kText, "a\xE4");
    row.text_form("j", type_oid::kJsonb, "\"\xE4\"");
    const auto line = [&](Unrepresentable policy) {
        std::string out;
        JsonEncoder(policy).append(out, transaction(), row.insert());
        return nlohmann::json::parse(out).at("after").dump();
    };
    EXPECT_EQ(line(Unrepresentable::text), R"({"j":"\\x22e422","nan":"NaN","t":"\\x61e4"})");
    EXPECT_EQ(line(Unrepresentable::null), R"({"j":null,"nan":null,"t":null})");
    try {
        line(Unrepresentable::error);
        FAIL();
    } catch (const connector::ConnectorError& refused) {
        EXPECT_EQ(refused.outcome(), FANOUT_REJECT);
        EXPECT_EQ(refused.at().commit_lsn, transaction().commit_lsn);
        EXPECT_EQ(refused.at().index, row.insert().index);
        EXPECT_NE(std::string(refused.what()).find("column \"nan\""), std::string::npos);
    }
}

TEST(JsonEncoder, never_makes_a_column_null_that_cannot_be) {
    TestRow row;
    row.fixed<double>("id", type_oid::kFloat8, std::nan(""), FANOUT_COLUMN_NOT_NULL);
    std::string out;
    JsonEncoder encoder(Unrepresentable::null);
    EXPECT_THROW(encoder.append(out, transaction(), row.insert()), connector::ConnectorError);
}

TEST(JsonEncoder, writes_booleans_bytes_documents_and_text) {
    TestRow row;
    row.fixed<std::uint8_t>("t", type_oid::kBool, 1);
    row.fixed<std::uint8_t>("f", type_oid::kBool, 0);
    row.bytes("b", type_oid::kBytea, std::string_view("\0\xFF", 2));
    row.bytes("j", type_oid::kJson, "{\"x\": [1,\n 2.50]}");
    row.text_form("jb", type_oid::kJsonb, R"({"y": null})");
    row.bytes("s", type_oid::kText, "say \"hi\"\n");
    row.fixed<std::int64_t>("at", type_oid::kTimestamptz, kCommitTime);
    row.text_form("list", 1009, "{a,\"b c\"}");
    EXPECT_EQ(after_text(row),
              R"({"t":true,"f":false,"b":"AP8=","j":{"x": [1,  2.50]},"jb":{"y": null},)"
              R"("s":"say \"hi\"\n","at":"2026-11-22 10:00:00.123456+00",)"
              R"("list":"{a,\"b c\"}"})");
    EXPECT_EQ(after(row).at("j").at("x").size(), 2U);
}

TEST(JsonEncoder, a_large_value_in_pieces_is_the_same_line) {
    std::string text, binary, document = "{\"a\": \"";
    for (int i = 0; i < 60'000; ++i) {
        text += "\"\\\n \xC3\xA4\xE2\x82\xAC\xF0\x9D\x84\x9E plain " + std::to_string(i);
        binary += static_cast<char>(i * 7);
    }
    binary += binary + binary + binary + binary + "x";
    document += std::string(500'000, 'd') + "\"}";
    for (const std::string& last : {std::string("\xC3\xA4"), std::string("\xFF")}) {
        TestRow row("public", "large");
        row.bytes("text", type_oid::kText, text + last);
        row.bytes("binary", type_oid::kBytea, binary);
        row.bytes("document", type_oid::kJson, document);
        JsonEncoder encoder;
        std::string out, whole;
        std::size_t most = 0;
        encoder.spill_to([&](std::string& part) {
            most = std::max(most, part.size());
            whole += part;
            part.clear();
        });
        encoder.append(out, transaction(), row.insert());
        whole += out;
        EXPECT_EQ(whole == line(row.insert()), true);
        EXPECT_LT(most, 800'000U);
        EXPECT_GT(whole.size(), 2'000'000U);
    }
}

TEST(JsonEncoder, tells_null_from_unchanged) {
    TestRow row;
    row.fixed<std::int32_t>("id", type_oid::kInt4, 7, kPrimaryKey);
    row.bytes("null \"col\"", type_oid::kText, "").but(FANOUT_NULL);
    row.bytes("big \"col\"", type_oid::kText, "").but(FANOUT_UNCHANGED);
    fanout_change update = row.insert();
    update.op = FANOUT_UPDATE;
    const auto object = nlohmann::json::parse(line(update));
    EXPECT_EQ(object.at("op"), "update");
    EXPECT_EQ(object.at("after"), (nlohmann::json{{"id", 7}, {"null \"col\"", nullptr}}));
    EXPECT_EQ(object.at("unchanged"), nlohmann::json({"big \"col\""}));
    EXPECT_TRUE(object.at("before").is_null());
}

TEST(JsonEncoder, gives_the_new_key_and_the_old_one_before) {
    TestRow old_row, new_row;
    old_row.fixed<std::int32_t>("id", type_oid::kInt4, 1, kPrimaryKey);
    old_row.bytes("name", type_oid::kText, "").but(FANOUT_ABSENT);
    new_row.fixed<std::int32_t>("id", type_oid::kInt4, 2, kPrimaryKey);
    new_row.bytes("name", type_oid::kText, "n");
    fanout_change update = new_row.insert();
    update.op = FANOUT_UPDATE;
    update.before_kind = FANOUT_BEFORE_KEY;
    update.before = old_row.values();
    const auto object = nlohmann::json::parse(line(update));
    EXPECT_EQ(object.at("key"), (nlohmann::json{{"id", 2}}));
    EXPECT_EQ(object.at("before"), (nlohmann::json{{"id", 1}}));
    EXPECT_EQ(object.at("after"), (nlohmann::json{{"id", 2}, {"name", "n"}}));
}

TEST(JsonEncoder, a_deleted_row_has_its_key_and_no_after) {
    TestRow row;
    row.fixed<std::int32_t>("id", type_oid::kInt4, 1, kPrimaryKey);
    row.bytes("name", type_oid::kText, "").but(FANOUT_ABSENT);
    const auto object = nlohmann::json::parse(line(row.erase()));
    EXPECT_EQ(object.at("op"), "delete");
    EXPECT_EQ(object.at("key"), (nlohmann::json{{"id", 1}}));
    EXPECT_EQ(object.at("before"), (nlohmann::json{{"id", 1}}));
    EXPECT_TRUE(object.at("after").is_null());
}

TEST(JsonEncoder, identity_full_has_the_primary_key_if_there_is_one) {
    TestRow keyless("public", "t", 'f'), keyed("public", "t", 'f');
    keyless.fixed<std::int32_t>("a", type_oid::kInt4, 1, FANOUT_COLUMN_KEY);
    keyed.fixed<std::int32_t>("a", type_oid::kInt4, 1, kPrimaryKey);
    keyed.fixed<std::int32_t>("b", type_oid::kInt4, 2, FANOUT_COLUMN_KEY);
    const auto none = nlohmann::json::parse(line(keyless.erase(FANOUT_BEFORE_FULL)));
    EXPECT_TRUE(none.at("key").is_null());
    EXPECT_EQ(none.at("before"), (nlohmann::json{{"a", 1}}));
    const auto some = nlohmann::json::parse(line(keyed.erase(FANOUT_BEFORE_FULL)));
    EXPECT_EQ(some.at("key"), (nlohmann::json{{"a", 1}}));
    EXPECT_EQ(some.at("before"), (nlohmann::json{{"a", 1}, {"b", 2}}));
}

TEST(JsonEncoder, a_truncate_has_a_line_per_table) {
    TestRow first("public", "a"), second("we\"ird", "b");
    const fanout_table* tables[] = {&first.table(), &second.version(2).table()};
    fanout_change change{};
    change.op = FANOUT_TRUNCATE;
    change.flags = FANOUT_TRUNCATE_CASCADE;
    change.index = 3;
    change.tables = tables;
    change.table_count = 2;
    const std::string text = line(change);
    const auto end = text.find('\n');
    const auto one = nlohmann::json::parse(text.substr(0, end));
    const auto two = nlohmann::json::parse(text.substr(end + 1));
    EXPECT_EQ(one.at("op"), "truncate");
    EXPECT_EQ(one.at("table"), "a");
    EXPECT_EQ(one.at("index"), 2);
    EXPECT_EQ(one.at("cascade"), true);
    EXPECT_EQ(one.at("restart_identity"), false);
    EXPECT_EQ(two.at("schema"), "we\"ird");
}

TEST(JsonEncoder, a_message_is_text_or_flagged_base64) {
    fanout_change change{};
    change.op = FANOUT_MESSAGE;
    change.prefix = {"audit", 5};
    change.content = {"h\"i", 3};
    const auto text = nlohmann::json::parse(line(change));
    EXPECT_EQ(text.at("prefix"), "audit");
    EXPECT_EQ(text.at("encoding"), "utf8");
    EXPECT_EQ(text.at("content"), "h\"i");
    change.content = {"\xFF\x00", 2};
    const auto bytes = nlohmann::json::parse(line(change));
    EXPECT_EQ(bytes.at("encoding"), "base64");
    EXPECT_EQ(bytes.at("content"), "/wA=");
}

TEST(JsonEncoder, follows_a_table_that_changes_its_shape) {
    JsonEncoder encoder;
    std::string out;
    TestRow before, later;
    before.fixed<std::int32_t>("a", type_oid::kInt4, 1);
    later.version(2).fixed<std::int32_t>("b", type_oid::kInt4, 1);
    encoder.append(out, transaction(), before.insert());
    out.clear();
    encoder.append(out, transaction(), later.insert());
    EXPECT_NE(out.find("\"after\":{\"b\":1}"), std::string::npos) << out;
}

TEST(JsonEncoder, each_transaction_has_its_own_position_and_time) {
    JsonEncoder encoder;
    std::string out;
    fanout_transaction other = transaction();
    other.commit_lsn = 0xAB'00000010;
    other.commit_time = -1;
    other.xid = 742;
    TestRow row;
    row.fixed<std::int32_t>("a", type_oid::kInt4, 1);
    encoder.append(out, transaction(), row.insert());
    out.clear();
    encoder.append(out, other, row.insert());
    EXPECT_NE(out.find(R"("xid":742,"lsn":"AB/10",)"), std::string::npos) << out;
    EXPECT_NE(out.find(R"("commit_time":"1999-12-31T23:59:59.999999Z")"), std::string::npos) << out;
}

}  // namespace
}  // namespace fanout::kit
