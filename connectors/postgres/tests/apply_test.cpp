// What arrives in the target, for each kind of change and table.
#include <chrono>
#include <thread>

#include "postgres/tests/connector_fixture.hpp"

namespace fanout::postgres_test {
namespace {

using Lines = std::vector<std::string>;

class ApplyTest : public ConnectorFixture {};

TEST_F(ApplyTest, EveryTypeArrivesExactly) {
    source->run(R"(CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TYPE pair AS (a int, b text);
        CREATE TABLE m (id int PRIMARY KEY, b bool, c "char", i2 int2, i8 int8, f4 float4, f8 float8,
            d date, t time, tz timetz, ts timestamp, tsz timestamptz, iv interval, u uuid,
            mo money, ma macaddr, l pg_lsn, p point, n numeric, n2 numeric(10,2), tx text,
            vc varchar(10), ch char(5), nm name, by bytea, j json, jb jsonb, x xml, ia int[],
            ta text[][], e mood, dm positive, r int4range, co pair, i inet, bi bit(3),
            vb varbit, tv tsvector, bx box, ea mood[]);
        INSERT INTO m SELECT 1, true, 'x', -2, 9e18, 1.5, 0.1, '2026-11-22', '10:00',
            '10:00+05:30', '2026-11-22 10:00', '2026-11-22 10:00+00', '1 mon -1 day', 
            '0c7a9d0e-5f0b-4a86-9b7f-2f1f6f3f2a11', '12.5', '08:00:2b:01:02:03', '16/B374D848',
            '(1,2)', 'NaN', 12.5, 'tëxt', 'v', 'ch', 'nm', '\x00ff', '{"a": 1}', '{"a": 1}',
            '<a/>', '{1,NULL,3}', '{{a,b},{"c d",NULL}}', 'happy', 7, '[1,5)',
            '(1,"x y")', '10.0.0.1/8', B'101', B'1', 'a b', '(1,2),(0,0)', '{sad,happy}';
        INSERT INTO m (id) VALUES (2))");
    target->run(R"(CREATE TYPE other AS ENUM ('x'); CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TYPE pair AS (a int, b text))");
    const SourceTable table(*source, "public", "m");
    const auto rows = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin();
    for (const Row& row : rows)
        feed.insert(table, row);
    deliver(feed, feed.commit());
    const char* const all = "SELECT m::text FROM public.m ORDER BY id";
    source->run("SET extra_float_digits = 3");
    EXPECT_EQ(target->rows(all), source->rows(all));
    // The same values through updates.
    Feed second(0x9000);
    second.begin();
    for (const Row& row : rows)
        second.update(table, row);
    deliver(second, second.commit());
    EXPECT_EQ(target->rows(all), source->rows(all));
    EXPECT_EQ(target->value("SELECT attnotnull FROM pg_attribute WHERE attrelid = 'm'::regclass "
                            "AND attname = 'id'"),
              "t");
}

TEST_F(ApplyTest, ShapesThatEndedLeaveNothingPrepared) {
    on_both("CREATE TABLE t (id int PRIMARY KEY, n int)");
    source->run("INSERT INTO t VALUES (1, 1), (2, 2)");
    // A trigger runs in the connector's session, and so can count what that has prepared.
    target->run(R"(CREATE TABLE counted (prepared bigint);
        CREATE FUNCTION count_prepared() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.counted SELECT count(*) FROM pg_catalog.pg_prepared_statements
                WHERE name LIKE 'fanout%';
            RETURN NULL;
        END $$;
        CREATE TRIGGER count AFTER INSERT ON t EXECUTE FUNCTION count_prepared())");
    open();
    Lsn at = 0x1000;
    std::deque<SourceTable> shapes;  // each is another version of it
    for (std::uint64_t version = 1; version <= 40; ++version) {
        const SourceTable& table = shapes.emplace_back(*source, "public", "t", version);
        const auto rows = table.stored_rows(*source);
        Feed feed(at += 0x1000);
        feed.begin().insert(table, rows[0]).insert(table, rows[1]).update(table, rows[0]);
        feed.remove(table, rows[0]).remove(table, rows[1]);
        deliver(feed, feed.commit());
    }
    EXPECT_LE(std::stoi(target->value("SELECT max(prepared) FROM counted")), 20);
}

TEST_F(ApplyTest, OddNamesAndMissingSchemas) {
    source->run(R"(CREATE SCHEMA "My ""S"; CREATE TABLE "My ""S"."T able" ("Ke""y" text PRIMARY KEY,
        "select" int); INSERT INTO "My ""S"."T able" VALUES ('a', 1), ('b', 2))");
    const SourceTable table(*source, "My \"S", "T able");
    const auto r = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin().insert(table, r[0]).insert(table, r[1]);
    deliver(feed, feed.commit());
    Feed next(0x5000);
    next.begin().update(table, {r[0][0], r[1][1]}).remove(table, r[1]);
    deliver(next, next.commit());
    EXPECT_EQ(target->rows(R"(SELECT * FROM "My ""S"."T able")"), Lines{"a|2"});
}

TEST_F(ApplyTest, UnchangedToastStays) {
    on_both("CREATE TABLE t (id int PRIMARY KEY, big text, n int)");
    source->run("INSERT INTO t VALUES (1, 'large', 1), (2, 'other', 2), (1001, 'x', 3)");
    const SourceTable table(*source, "public", "t");
    const auto rows = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin().insert(table, rows[0]).insert(table, rows[1]);
    deliver(feed, feed.commit());
    // One row leaves big alone, one changes it, one statement.
    Row first = rows[0], second = rows[1];
    first[1] = unchanged_cell();
    first[2].bytes[0] = 9;
    second[1] = null_cell();
    Feed next(0x5000);
    next.begin().update(table, first).update(table, second);
    deliver(next, next.commit());
    EXPECT_EQ(target->rows("SELECT * FROM t ORDER BY id"), (Lines{"1|large|9", "2|~|2"}));
    // A key change of a row with an unchanged value.
    Row moved = first;
    moved[0] = rows[2][0];
    Feed last(0x7000);
    last.begin().update(table, moved, first);
    deliver(last, last.commit());
    EXPECT_EQ(target->rows("SELECT * FROM t ORDER BY id"), (Lines{"2|~|2", "1001|large|9"}));
}

TEST_F(ApplyTest, KeysThatSwapInOneTransaction) {
    for (const bool extra : {false, true}) {
        on_both("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v text)");
        if (extra) target->run("ALTER TABLE t ADD extra int DEFAULT 5");
        source->run("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
        const SourceTable table(*source, "public", "t", extra ? 2 : 1);
        const auto r = table.stored_rows(*source);
        connector->close();
        open();
        Feed feed(extra ? 0x20000 : 0x10000);
        feed.begin().insert(table, r[0]).insert(table, r[1]);
        deliver(feed, feed.commit());
        if (extra) target->run("UPDATE t SET extra = id");
        const auto with_key = [&](const Row& row, const Row& key) { return Row{key[0], row[1]}; };
        Feed swap(extra ? 0x21000 : 0x11000);
        swap.begin()
            .update(table, with_key(r[0], r[2]), r[0])
            .update(table, with_key(r[1], r[0]), r[1])
            .update(table, with_key(r[0], r[1]), r[2]);
        deliver(swap, swap.commit());
        EXPECT_EQ(target->rows("SELECT id, v FROM t ORDER BY id"), (Lines{"1|b", "2|a"}));
        if (extra) {
            EXPECT_EQ(target->rows("SELECT id, extra FROM t ORDER BY id"), (Lines{"1|2", "2|1"}));
        }
    }
}

TEST_F(ApplyTest, UniqueValuesThatSwapNeedNoHelp) {
    on_both("CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE)");
    source->run("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)");
    const SourceTable table(*source, "public", "t");
    const auto r = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin().insert(table, r[0]).insert(table, r[1]);
    deliver(feed, feed.commit());
    Feed swap(0x5000);
    swap.begin()
        .update(table, {r[0][0], r[2][1]})
        .update(table, {r[1][0], r[0][1]})
        .update(table, {r[0][0], r[1][1]});
    deliver(swap, swap.commit());
    EXPECT_EQ(target->rows("SELECT * FROM t ORDER BY id"), (Lines{"1|20", "2|10"}));
    // Deferred in the target: checked at the end, never in the way.
    target->run(
        "ALTER TABLE t DROP CONSTRAINT t_u_key; ALTER TABLE t ADD UNIQUE (u) DEFERRABLE "
        "INITIALLY DEFERRED");
    Feed again(0x7000);
    again.begin().update(table, r[0]).update(table, r[1]);
    deliver(again, again.commit());
    EXPECT_EQ(target->rows("SELECT * FROM t ORDER BY id"), (Lines{"1|10", "2|20"}));
}

TEST_F(ApplyTest, TruncateRestartsAndCascades) {
    on_both("CREATE TABLE a (id int PRIMARY KEY, s serial); CREATE TABLE b (id int PRIMARY KEY)");
    target->run("CREATE TABLE child (a int REFERENCES a)");
    source->run("INSERT INTO a (id) VALUES (1); INSERT INTO b VALUES (1), (2)");
    const SourceTable a(*source, "public", "a"), b(*source, "public", "b");
    const auto ra = a.stored_rows(*source), rb = b.stored_rows(*source);
    target->run("SELECT nextval('a_s_seq'), nextval('a_s_seq')");
    open();
    Feed feed;
    feed.begin().insert(a, ra[0]).insert(b, rb[0]);
    feed.truncate({&a, &b}, FANOUT_TRUNCATE_CASCADE | FANOUT_TRUNCATE_RESTART_IDENTITY);
    feed.insert(b, rb[1]);
    deliver(feed, feed.commit());
    EXPECT_EQ(target->rows("SELECT id FROM a"), Lines{});
    EXPECT_EQ(target->rows("SELECT id FROM b"), Lines{"2"});
    EXPECT_EQ(target->value("SELECT nextval('a_s_seq')"), "1");
}

TEST_F(ApplyTest, ManyInsertsAreCopied) {
    on_both("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric)");
    source->run("INSERT INTO t VALUES (1, 'a', 1.50), (2, NULL, NULL)");
    const SourceTable table(*source, "public", "t");
    const auto r = table.stored_rows(*source);
    open();
    const auto id = [](std::int32_t value) {
        return Cell{std::string(reinterpret_cast<const char*>(&value), sizeof value)};
    };
    Feed feed;
    feed.begin();
    for (std::int32_t i = 0; i < 12'000; ++i) {
        const Row& row = r[static_cast<std::size_t>(i % 2)];
        feed.insert(table, {id(i), row[1], row[2]});
    }
    deliver(feed, feed.commit());
    EXPECT_EQ(target->rows("SELECT count(*), count(v), sum(n), max(id) FROM t"),
              Lines{"12000|6000|9000.00|11999"});
    // A row that is there already is named, although thousands were copied at once.
    Feed again(0x5000);
    again.begin();
    for (std::int32_t i = 12'000; i < 18'000; ++i)
        again.insert(table, {id(i == 15'000 ? 7 : i), r[0][1], r[0][2]});
    const auto cursor = again.commit();
    const auto [outcome, text] = outcome_of([&] { deliver(again, cursor); });
    EXPECT_EQ(outcome, FANOUT_FATAL) << text;
    EXPECT_NE(text.find("where (id) = (7)"), std::string::npos) << text;
}

TEST_F(ApplyTest, RowsWithoutAKeyAreFoundByTheirValues) {
    on_both("CREATE TABLE w (a int, b text, j json, p point); ALTER TABLE w REPLICA IDENTITY FULL");
    source->run(
        "INSERT INTO w VALUES (1, NULL, '{\"a\":1}', '(1,2)'), (1, 'x', NULL, NULL), "
        "(2, 'x', NULL, NULL)");
    const SourceTable table(*source, "public", "w");
    const auto r = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin();
    for (int i = 0; i < 3; ++i)
        feed.insert(table, r[0]).insert(table, r[1]);
    deliver(feed, feed.commit());
    Feed next(0x5000);
    next.begin().remove(table, r[0]).remove(table, r[0]).update(table, r[2], r[1]);
    next.update(table, r[0], r[2]);  // what the update before it made
    deliver(next, next.commit());
    EXPECT_EQ(target->rows("SELECT a, b, j, count(*) FROM (SELECT a, b, j::text FROM w) x GROUP BY "
                           "1, 2, 3 ORDER BY 2 NULLS FIRST"),
              (Lines{"1|~|{\"a\":1}|2", "1|x|~|2"}));
    Feed gone(0x7000);
    gone.begin().remove(table, r[2]);
    const auto cursor = gone.commit();
    const auto [outcome, text] = outcome_of([&] { deliver(gone, cursor); });
    EXPECT_EQ(outcome, FANOUT_REJECT) << text;
}

// What is written in parts, or with a TRUNCATE, goes to the target in as few statements as the
// rest.
TEST_F(ApplyTest, RowsOfSeveralWritesGoTogether) {
    on_both("CREATE TABLE w (a int); ALTER TABLE w REPLICA IDENTITY FULL");
    source->run("INSERT INTO w SELECT generate_series(1, 3000)");
    const SourceTable table(*source, "public", "w");
    const auto rows = table.stored_rows(*source);
    open();
    Feed feed, next(0x5000);
    feed.begin();
    for (const Row& row : rows)
        feed.insert(table, row);
    feed.commit();
    next.begin();
    for (const Row& row : rows)
        next.remove(table, row);
    const auto end = next.commit();
    connector->write(feed.batch());
    connector->write(next.batch());  // so neither is the whole of its flush
    flush(end);
    const auto looked = [&](const char* counter) {
        target->run("SELECT pg_stat_clear_snapshot()");
        return std::stol(target->value(std::string("SELECT ") + counter +
                                       " FROM pg_stat_user_tables WHERE relname = 'w'"));
    };
    while (looked("n_tup_del") < 3000)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_LT(looked("seq_scan"), 50);
}

TEST_F(ApplyTest, IdentityFullUsesThePrimaryKey) {
    on_both("CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL");
    source->run("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    const SourceTable table(*source, "public", "t");
    const auto r = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin().insert(table, r[0]).insert(table, r[1]);
    feed.update(table, {r[0][0], r[1][1]}, r[0]).remove(table, r[1]);
    deliver(feed, feed.commit());
    EXPECT_EQ(target->rows("SELECT * FROM t"), Lines{"1|b"});
}

TEST_F(ApplyTest, GeneratedAndIdentityColumns) {
    on_both(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, "
        "twice int GENERATED ALWAYS AS (a * 2) STORED)");
    source->run("INSERT INTO t (a) VALUES (10), (20), (30)");
    const SourceTable table(*source, "public", "t");
    const auto r = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin().insert(table, r[0]).insert(table, r[1]);
    deliver(feed, feed.commit());
    Feed next(0x5000);
    next.begin().update(table, {r[0][0], r[2][1], r[2][2]});
    next.update(table, {r[2][0], r[1][1], r[1][2]}, r[1]);
    deliver(next, next.commit());
    EXPECT_EQ(target->rows("SELECT * FROM t ORDER BY id"), (Lines{"1|30|60", "3|20|40"}));
}

TEST_F(ApplyTest, ForeignKeysAndTriggersSeeTheSourcesOrder) {
    on_both(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int "
        "REFERENCES p ON DELETE CASCADE)");
    target->run(
        "CREATE TABLE log (what text, n serial); CREATE FUNCTION note() RETURNS trigger "
        "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log (what) VALUES (TG_OP); "
        "RETURN NULL; END $$; CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON c "
        "FOR EACH STATEMENT EXECUTE FUNCTION note()");
    source->run("INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 1), (3, 2)");
    const SourceTable p(*source, "public", "p"), c(*source, "public", "c");
    const auto rp = p.stored_rows(*source), rc = c.stored_rows(*source);
    open();
    // The last transaction deletes the parent first, as a cascade does.
    Feed feed;
    feed.begin().insert(p, rp[0]).insert(c, rc[0]).insert(c, rc[1]);
    feed.commit();
    feed.begin().insert(p, rp[1]).insert(c, rc[2]);
    feed.commit();
    feed.begin().remove(p, rp[0]).remove(c, rc[0]).remove(c, rc[1]);
    deliver(feed, feed.commit());
    EXPECT_EQ(target->rows("SELECT id FROM c"), Lines{"3"});
    EXPECT_EQ(target->rows("SELECT id FROM p"), Lines{"2"});
    EXPECT_EQ(target->value("SELECT string_agg(what, ',' ORDER BY n) FROM log"),
              "INSERT,INSERT,INSERT,DELETE,DELETE,DELETE");
}

TEST_F(ApplyTest, ColumnsOfAnotherTypeAreCast) {
    source->run(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(30), c timestamptz, d numeric)");
    source->run("INSERT INTO t VALUES (1, 7, 'x', '2026-11-22 10:00+00', 1.50)");
    target->run("CREATE TABLE t (d text, id bigint PRIMARY KEY, a numeric, b char(4), c date)");
    const SourceTable table(*source, "public", "t");
    const auto r = table.stored_rows(*source);
    open();
    Feed feed;
    feed.begin().insert(table, r[0]);
    deliver(feed, feed.commit());
    EXPECT_EQ(target->rows("SELECT id, a, b, c, d FROM t"), Lines{"1|7|x   |2026-11-22|1.50"});
    // Never cut silently.
    Row longer = r[0];
    longer[2].bytes = "too long for it";
    Feed next(0x5000);
    next.begin().update(table, longer);
    const auto cursor = next.commit();
    const auto [outcome, text] = outcome_of([&] { deliver(next, cursor); });
    EXPECT_EQ(outcome, FANOUT_REJECT) << text;
    EXPECT_NE(text.find("update of \"public\".\"t\" where (id) = (1)"), std::string::npos) << text;
}

}  // namespace
}  // namespace fanout::postgres_test
