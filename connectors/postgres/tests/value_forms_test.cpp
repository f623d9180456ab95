// PostgreSQL is the oracle: its stored bytes go in, its output and send functions' results must
// come out, for every type that travels in its stored form.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "_kit/value_binary.hpp"
#include "_kit/value_text.hpp"
#include "postgres/tests/source_rows.hpp"

namespace fanout::postgres_test {
namespace {

struct TypeCase {
    const char* type;
    const char* send;
    const char* literals;  // comma-separated SQL expressions
};

constexpr TypeCase kCases[] = {
    {"boolean", "boolsend", "true,false"},
    {"\"char\"", "charsend", "'a','Z',' '"},
    {"smallint", "int2send", "0,-32768,32767"},
    {"integer", "int4send", "0,-2147483648,2147483647"},
    {"bigint", "int8send", "0,-9223372036854775808,9223372036854775807"},
    {"oid", "oidsend", "0,4294967295"},
    {"xid", "xidsend", "'7','4294967295'"},
    {"cid", "cidsend", "'7'"},
    {"xid8", "xid8send", "'7','18446744073709551615'"},
    {"tid", "tidsend", "'(0,1)','(4294967295,65535)'"},
    {"real", "float4send",
     "0,'-0',1.5,1e10,123456,1234567,1e-4,1.17549435e-38,3.4028235e38,0.1,'NaN','Infinity',"
     "'-Infinity'"},
    {"double precision", "float8send",
     "0,'-0',0.1,1e15,123456789012345,1e14,1e-5,0.0001,2.2250738585072014e-308,"
     "1.7976931348623157e308,5e-324,'NaN','Infinity','-Infinity',3.141592653589793"},
    {"date", "date_send",
     "'2026-11-22','infinity','-infinity','0044-03-15 BC','4713-01-01 BC','5874897-12-31',"
     "'2000-02-29','0001-01-01','0001-12-31 BC'"},
    {"time", "time_send", "'00:00','24:00','23:59:59.999999','12:30:00.5'"},
    {"timetz", "timetz_send",
     "'00:00+00','23:59:59.000001+05:30','12:00-15:59:59','01:02:03.5-07','24:00:00+14'"},
    {"timestamp", "timestamp_send",
     "'2026-11-22 10:00:00.123456','infinity','-infinity','4713-01-01 00:00:00 BC',"
     "'1999-12-31 23:59:59.999999','294276-12-31 23:59:59.999999','0001-01-01'"},
    {"timestamptz", "timestamptz_send",
     "'2026-11-22 10:00:00.123456+00','infinity','-infinity','1969-07-20 20:17:40+00',"
     "'0044-03-15 12:00:00.5+00 BC'"},
    {"interval", "interval_send",
     "'0','1 year 2 mons 3 days 04:05:06.789','-1 year','-1 mon +2 days','1 day -00:00:01',"
     "'-1 day +00:00:01','100 hours','-178000000 years','1 mon -1 day','-00:00:00.000001',"
     "'1 year -1 mon'"},
    {"uuid", "uuid_send", "'0c7a9d0e-5f0b-4a86-9b7f-2f1f6f3f2a11'"},
    {"money", "cash_send", "'0','-1234567.89','92233720368547758.07','0.05','-0.10'"},
    {"macaddr", "macaddr_send", "'08:00:2b:01:02:03'"},
    {"macaddr8", "macaddr8_send", "'08:00:2b:01:02:03:04:05'"},
    {"pg_lsn", "pg_lsn_send", "'0/0','16/B374D848','FFFFFFFF/FFFFFFFF'"},
    {"point", "point_send", "'(1,2.5)','(-0.1,1e20)'"},
    {"lseg", "lseg_send", "'[(1,2),(3,4.5)]'"},
    {"box", "box_send", "'(3,4),(1,2)'"},
    {"line", "line_send", "'{1,-2,3}'"},
    {"circle", "circle_send", "'<(1,2),3.5>'"},
    {"numeric", "numeric_send",
     "0,0.00,1,-1,12.50,1e100,1.23e-50,'NaN','Infinity','-Infinity',9999,10000,-0.0001,"
     "123456789012345678901234567890.123456789,1e-16383,1e131071,100000000,0.1,7e300,1.0,"
     "-99999999.99990000,0.00010000,12345678.00000001"},
    {"numeric(12,2)", "numeric_send", "0,99.9,-1234567890.12"},
    {"text", "textsend", "'','plain','Ünïcødé ✓ \"quotes\" \\ back'"},
    {"varchar(20)", "varcharsend", "'','x  '"},
    {"char(6)", "bpcharsend", "'ab',''"},
    {"name", "namesend", "'','a_name'"},
    {"bytea", "byteasend", "'','\\x00ff10'"},
    {"json", "json_send", "'{\"a\": [1, 2 ]}'"},
};

class ValueFormsTest : public testing::TestWithParam<TypeCase> {};

TEST_P(ValueFormsTest, TextAndBinaryAreThoseOfTheServer) {
    static const std::string dsn = TestServer::get().fresh_database("forms");
    Client client(dsn);
    client.run("SET extra_float_digits = 3; SET TimeZone = 'UTC'; SET lc_monetary = 'C'");
    client.run("CREATE SCHEMA IF NOT EXISTS s; DROP TABLE IF EXISTS s.v");
    client.run(std::string("CREATE TABLE s.v (v ") + GetParam().type + ")");
    client.run("ALTER TABLE s.v ALTER v SET STORAGE " +
               client.value("SELECT CASE WHEN typlen = -1 AND typstorage <> 'p' THEN 'EXTERNAL' "
                            "ELSE 'PLAIN' END FROM pg_type JOIN pg_attribute ON atttypid = "
                            "pg_type.oid WHERE attrelid = 's.v'::regclass AND attnum = 1"));
    client.run(std::string("INSERT INTO s.v SELECT unnest(ARRAY[") + GetParam().literals +
               "]::" + GetParam().type + "[])");
    const SourceTable table(client, "s", "v");
    const auto stored = table.stored_rows(client);
    const auto texts = client.rows(std::string(GetParam().type) == "char(6)"
                                       ? "SELECT bpcharout(v) FROM s.v ORDER BY ctid"
                                       : "SELECT v FROM s.v ORDER BY ctid");
    const auto sent =
        client.rows(std::string("SELECT ") + GetParam().send + "(v) FROM s.v ORDER BY ctid");
    ASSERT_EQ(stored.size(), texts.size());
    for (std::size_t i = 0; i < stored.size(); ++i) {
        const std::string& bytes = stored[i][0].bytes;
        const fanout_value value{reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                 static_cast<std::uint32_t>(bytes.size()), FANOUT_PRESENT};
        EXPECT_EQ(kit::value_text(table.column(0), value), texts[i]);
        std::string binary, hex;
        kit::append_binary(binary, table.column(0), value);
        kit::append_bytea_hex(hex, reinterpret_cast<const std::uint8_t*>(binary.data()),
                              binary.size());
        EXPECT_EQ(hex, sent[i]) << texts[i];
    }
}

INSTANTIATE_TEST_SUITE_P(Types, ValueFormsTest, testing::ValuesIn(kCases), [](const auto& test) {
    std::string name;
    for (const char c : std::string(test.param.type))
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
    return name;
});

}  // namespace
}  // namespace fanout::postgres_test
