"""Every type a column may have, with the values that are hard on it.

Values are SQL expressions without the cast. `keys` are at least three that differ under the type's
btree order; types without one have none. `binary` is false where the send form holds OIDs of types
that each database gives out for itself.
"""
from dataclasses import dataclass, field

PREPARE = """
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION cube;
CREATE EXTENSION isn; CREATE EXTENSION seg; CREATE EXTENSION intarray;
CREATE TYPE mood AS ENUM ('sad', 'it''s', 'ok');
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE nested AS (p pair, list pair[], m mood, at timestamptz);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive CHECK (VALUE < 1000);
CREATE DOMAIN label AS varchar(20) NOT NULL DEFAULT '';
CREATE DOMAIN moods AS mood[];
CREATE TYPE float_range AS RANGE (subtype = float8, multirange_type_name = float_multirange);
"""


@dataclass
class Type:
    name: str
    values: list
    keys: list = field(default_factory=list)
    binary: bool = True


def quoted(*texts):
    return ["'" + text.replace("'", "''") + "'" for text in texts]


def _of(name, *texts, keys=(), binary=True):
    return Type(name, quoted(*texts), quoted(*(texts if keys is True else keys)), binary)


LONG_NUMERIC = "9" * 131072 + "." + "9" * 16383
WIDE = "日本語 🐘 é"

NUMBERS = [
    _of("smallint", "-32768", "0", "32767", keys=True),
    _of("integer", "-2147483648", "0", "2147483647", keys=True),
    _of("bigint", "-9223372036854775808", "9007199254740993", "9223372036854775807", keys=True),
    _of("real", "1.1754944e-38", "1e-45", "0.1", "-0", "3.4028235e38", "Infinity", "-Infinity", "NaN",
        keys=("0.1", "-1e30", "Infinity", "NaN")),
    _of("double precision", "5e-324", "2.2250738585072014e-308", "0.1", "-0", "1e308", "1e15", "1e-5",
        "123456789012345680", "Infinity", "NaN", keys=("0.1", "1e308", "-Infinity", "NaN")),
    _of("numeric", "0", "0.000", "-123456789012345678901234567890.123456789", "NaN", "1e-20", "1.10",
        "Infinity", "-Infinity", "1e1000", LONG_NUMERIC, keys=("1.0", "1.10", "NaN", "Infinity", "-5e30")),
    _of("numeric(10,3)", "1.5", "-9999999.999", "NaN", keys=("1.5", "2", "3.25")),
    _of("numeric(20,0)", "12345678901234567890", "0", "-1", keys=True),
    _of("money", "12.34", "-92233720368547758.08", "92233720368547758.07", "0", keys=True),
    _of("oid", "0", "16384", "4294967295", keys=True),
    _of("xid", "3", "4294967295", "0"), _of("cid", "0", "4294967295", "7"),
    _of("xid8", "0", "18446744073709551615", "741", keys=True),
    _of("tid", "(0,1)", "(4294967295,65535)", "(7,3)", keys=True),
    _of("pg_lsn", "0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF", keys=True),
]

TEXTS = [
    _of("text", "", "NULL", "'", "\\", "\t\n\r", WIDE, "\\N", "{}", "a" * 5000, "ü" * 100000,
        keys=("", "A", "a", WIDE)),
    _of("varchar(10)", "x", "日本語", "", keys=True), _of("varchar", "", "y", "z z", keys=True),
    _of("char(4)", "ab", "", "日本", keys=True), _of("bpchar", "a  ", "", "b", keys=True),
    _of('"char"', "x", "", "~", keys=("x", "y", "")), _of("name", "some_name", "a" * 63, "", keys=True),
    _of("citext", "Abc", "", "ÄB", keys=True),
    Type("bytea", ["'\\x'", "'\\x00ff5c27'", "decode(repeat('ab', 5000), 'hex')", "'\\x00'"],
         ["'\\x'", "'\\x00'", "'\\xff'"]),
    _of("bit(5)", "10110", "00000", "11111", keys=True), _of("bit", "0", "1"),
    _of("varbit", "1", "", "0101010101010101010101", keys=True),
    _of("xml", "<a>b</a>", '<?xml version="1.0" encoding="LATIN1"?><a>é</a>', '<?xml version="1.0"?><r a="1">&amp;é</r>', "text"),
    _of("json", '{"b":1, "a":[1.0,null,"\\u00e9"], "b":2}', '"x"', "[\n1\n]", '"\\u0000"', "1e400",
        '{"' + "k" * 100000 + '": 1}'),
    _of("jsonb", '{"b": 1.50, "a": [true, {}]}', "[]", '"é"', "123456789012345678901234567890.5",
        keys=True),
    _of("jsonpath", "$.a[*] ? (@ > 1)", 'strict $."x y"', "$"),
    _of("hstore", "a=>1, b=>NULL", "", '"x y"=>"=>"', keys=True),
    _of("ltree", "Top.Science", "", "a_b.c", keys=True), _of("lquery", "*.a|b.*{1,}", "a", "!x.*"),
    _of("ltxtquery", "Europe & Russia*@", "a", "!b"), _of("query_int", "1&(2|!3)", "7", "!4", binary=False),
    _of("tsvector", "'a':1A 'b'", "", "'it''s':3,17B", keys=True),
    _of("tsquery", "'a' & !'b'", "'x':*A <-> 'y'", "'c'", keys=True),
    _of("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff", keys=True),
    _of("ean13", "978-0-11-000222-4", "4001234567891", "000-0-00-000000-0", binary=False),
    _of("isbn13", "978-0-393-04002-9", "978-0-11-000222-4", "979-1-0904-5111-7", keys=True, binary=False),
    _of("isbn", "0-393-04002-X", "0-11-000222-9", "0-201-53082-1", keys=True, binary=False),
    _of("ismn", "M-2306-7118-7", "M-060-11561-5", binary=False), _of("ismn13", "979-0-2306-7118-7", binary=False),
    _of("issn", "1436-4522", "0317-8471", binary=False), _of("issn13", "977-1436-452-00-8", binary=False), _of("upc", "220356483481", binary=False),
]

MOMENTS = [
    _of("boolean", "t", "f"),
    _of("date", "0044-03-15 BC", "4713-01-01 BC", "2000-02-29", "infinity", "-infinity", "5874897-12-31",
        keys=("2000-02-29", "infinity", "-infinity", "0044-03-15 BC")),
    _of("time", "00:00:00", "24:00:00", "12:34:56.789012", keys=True),
    _of("time(0)", "12:00:01", "24:00:00"),
    _of("timetz", "12:00:00+05:30", "24:00:00-15:59", "00:00:00.000001+15:59:59", keys=True),
    _of("timestamp", "2026-11-22 10:00:00.000001", "infinity", "-infinity", "0001-01-01 00:00:00 BC",
        "294276-12-31 23:59:59.999999", keys=("2026-11-22 10:00:00.5", "infinity", "0001-01-01 BC")),
    _of("timestamptz", "2026-11-22 10:00:00.5+02", "-infinity", "4713-01-01 00:00:00+00 BC",
        "1900-01-01 00:00:00+00", keys=True),
    _of("interval", "1 year -3 days 04:05:06.000007", "00:00:00", "-178000000 years", "-1 mon +1 day -00:00:01",
        keys=("1 day", "25:00:00", "1 mon")),
]

NETWORK = [
    _of("inet", "10.0.0.1/8", "::1", "::ffff:1.2.3.4/120", "0.0.0.0/0", keys=True),
    _of("cidr", "10.0.0.0/8", "2001:db8::/32", "192.168.1.1/32", keys=True),
    _of("macaddr", "08:00:2b:01:02:03", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", keys=True),
    _of("macaddr8", "08:00:2b:01:02:03:04:05", "00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff",
        keys=True),
]

SHAPES = [
    _of("point", "(1.5,-2)", "(Infinity,NaN)", "(1e308,5e-324)"), _of("line", "{1,-1,0}", "{0.1,2,3}"),
    _of("lseg", "[(0,0),(1,1)]", "[(0.1,1e300),(-2,3)]"), _of("box", "(1,1),(0,0)", "(2.5,3),(-1,-1)"),
    _of("path", "[(0,0),(1,1)]", "((0,0),(1,1),(2,0))"), _of("polygon", "((0,0),(1,1),(2,0))"),
    _of("circle", "<(1,2),3.5>", "<(0,0),0>"), _of("cube", "(1, 2),(3, 4)", "(0.1)", "()", keys=True),
    _of("seg", "1.0 .. 2", "~5", "3 .. 4.50", keys=True, binary=False),
]

RANGES = [
    _of("int4range", "[1,5)", "empty", "(,)", keys=True), _of("int8range", "[1,9223372036854775807)", "(,0)"),
    _of("numrange", "[1.0,2.50]", "(1,)"),
    _of("tsrange", '["2026-01-01 00:00:00",infinity]', "empty"),
    _of("tstzrange", '["2026-01-01 00:00:00+00","2026-02-01 00:00:00.5+00")', "(,)"),
    _of("daterange", "[2026-01-01,2026-02-01)", "[-infinity,infinity]", "[0044-03-15 BC,2000-01-01)"),
    _of("int4multirange", "{[1,3),[5,7)}", "{}", "{(,)}", keys=True),
    _of("int8multirange", "{[1,2)}", "{}"), _of("nummultirange", "{[1.0,2.50],(3,)}", "{}"),
    _of("tsmultirange", '{["2026-01-01 00:00:00",infinity]}', "{}"),
    _of("tstzmultirange", '{["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")}', "{}"),
    _of("datemultirange", "{[2026-01-01,2026-02-01),[2026-03-01,)}", "{}"),
    _of("float_range", "[0.1,Infinity]", "empty", "(,)"), _of("float_multirange", "{[0.1,0.2]}", "{}"),
]

COLLECTIONS = [
    _of("integer[]", "{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[2:4]={1,2,3}", "[-1:0][5:6]={{1,2},{3,4}}", keys=True),
    _of("text[]", '{"a,b","c\\"d",NULL,"","NULL","\\\\"}', "{}", '[0:0]={" "}', keys=True),
    _of("numeric[]", "{NaN,1.50,Infinity}", "{}"), _of("bytea[]", '{"\\\\x00ff",NULL,"\\\\x"}', "{}"),
    _of("timestamptz[]", '{"2026-11-22 10:00:00+00",infinity}', "{}"),
    _of("double precision[]", "{0.1,-0,NaN,Infinity,5e-324}", "{}"), _of("boolean[]", "{t,f,NULL}", "{}"),
    _of("jsonb[]", '{"{\\"a\\": [1]}",NULL}', "{}"), _of("point[]", '{"(1,2)","(3,4)"}', "{}"),
    _of("box[]", "{(1,1),(0,0);(2,2),(1,1)}", "{}"), _of("int4range[]", '{"[1,2)",empty}', "{}"),
    _of("citext[]", "{Ab,NULL}", "{}", binary=False), _of("hstore[]", '{"\\"a\\"=>\\"1\\""}', "{}", binary=False),
    _of("int2vector", "1 2 3", ""), _of("oidvector", "1 2 4294967295", "", "7", keys=("1 2", "3", "4")),
    _of("mood", "sad", "it's", "ok", keys=True), _of("mood[]", '{sad,NULL,"it\'s"}', "{}", binary=False),
    _of("moods", "{ok,sad}", "{}", binary=False),
    _of("pair", '(1,"x y")', "(,)", '(2,"""q"",\\\\")', keys=True),
    _of("nested", '("(1,x)","{""(2,y)"",NULL}",ok,"2026-01-01 00:00:00+00")', "(,,,)", binary=False),
    _of("positive", "7", "1", "2147483647", keys=True), _of("small_positive", "7", "999", "2", keys=True),
    _of("positive[]", "{1,2}", "{}", binary=False),
]

# What these name exists in every database; aclitem has no send form.
CATALOG = [
    _of("regproc", "now", "pg_catalog.version", "-"), _of("regprocedure", "now()", "abs(integer)", "-"),
    _of("regoper", "||/", "0"), _of("regoperator", "+(integer,integer)", "0"),
    _of("regclass", "pg_class", "pg_catalog.pg_type", "-"), _of("regtype", "integer", "text[]", "-"),
    _of("regconfig", "english", "simple"), _of("regdictionary", "simple", "english_stem"),
    _of("regnamespace", "pg_catalog", "public"), _of("regrole", "postgres", "pg_monitor"),
    _of("regcollation", '"C"', '"default"'), _of("aclitem", "postgres=r*w/postgres", "=X/postgres", binary=False),
    _of("refcursor", "my cursor", ""), _of("pg_snapshot", "10:20:10,14,15", "1:1:"),
    _of("txid_snapshot", "10:20:10,14,15", "1:1:"),
]

# Values of these can only be copied from where the server has made them; they end as text.
SERVER_MADE = [
    Type("pg_node_tree", ["(SELECT ev_action FROM pg_rewrite ORDER BY oid LIMIT 1)"], binary=False),
    Type("pg_ndistinct", ["(SELECT stxdndistinct FROM pg_statistic_ext_data LIMIT 1)"], binary=False),
    Type("pg_dependencies", ["(SELECT stxddependencies FROM pg_statistic_ext_data LIMIT 1)"], binary=False),
    Type("pg_mcv_list", ["(SELECT stxdmcv FROM pg_statistic_ext_data LIMIT 1)"], binary=False),
]

# No column can get a value of these: they live in indexes only.
INDEX_ONLY = {"gtsvector", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary", "ghstore", "ltree_gist",
              "intbig_gkey"}

TYPES = NUMBERS + TEXTS + MOMENTS + NETWORK + SHAPES + RANGES + COLLECTIONS + CATALOG + SERVER_MADE
