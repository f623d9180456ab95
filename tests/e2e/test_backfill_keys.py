"""Keys of every type are copied in chunks by key, also where only the server knows their order."""
import random
import time

from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase, Writer
from fanout_test.daemon import Daemon
from fanout_test.postgres import Utf8Database
from fanout_test.processes import wait_until

ROWS = 3000
# Name, columns of the key, their values by a number `i`; what ends each is compared by the server.
KEYS = [
    ("word", 'a text COLLATE "en-x-icu"', "(CASE i % 3 WHEN 0 THEN 'Zé' WHEN 1 THEN 'ze' ELSE 'Z' END) || i"),
    ("folded", "a text COLLATE folded", "'W' || i"),
    ("fixed", 'a character(12) COLLATE "de-x-icu"', "'ä' || i"),
    ("case_blind", "a citext", "CASE WHEN i % 2 = 0 THEN 'ROW' ELSE 'row' END || i"),
    ("amount", "a numeric", "i * 1.10 - 1000"),
    ("ratio", "a double precision", "1.0 / (i - 1000.5)"),
    ("span", "a interval", "i * interval '1 hour' - interval '40 days'"),
    ("moment", "a time", "'00:00'::time + i * interval '1 second'"),
    ("host", "a inet", "'10.0.0.0'::inet + i"),
    ("period", "a int4range", "int4range(i, i + 3)"),
    ("list", "a integer[]", "ARRAY[i % 7, i]"),
    ("flags", "a bit(16)", "i::bit(16)"),
    ("pair", "a duo", "ROW(i % 10, 'x' || i)::duo"),
    ("mood_row", "a mood, b integer", "(ARRAY['sad', 'so so', 'glad'])[1 + i % 3]::mood, i"),
    ("branch", "a integer, b citext, c date", "i % 5, 'B' || i, '2020-01-01'::date + i % 3"),
    ("short", "a short_word", "'s' || i"),
    ("letter", 'a "char", b integer', """(i % 256 - 128)::"char", i"""),
]
# Types whose order fanoutd knows: values that are hard to write down.
BOUNDS = [
    ("smallint", "-32768 0 32767"), ("bigint", "-9223372036854775808 -1 9223372036854775807"),
    ("oid", "0 2147483648 4294967295"), ("boolean", "true false"),
    ("uuid", "00000000-0000-0000-0000-000000000000 7fffffff-0000-0000-0000-00000000000a "
             "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("bytea", r"\x \x00 \x5c27 \xff"), ('text COLLATE "C"', r"' \ \' %s ü 😀 $1 E'\n"),
    ("date", "-infinity 4714-11-24BC 0001-12-31BC 0001-01-01 5874897-12-31 infinity"),
    ("timestamp", "-infinity 4714-11-24T00:00BC 0001-12-31T23:59:59.999999BC 1999-12-31T23:59:59.000001 "
                  "294276-12-31T23:59:59.999999 infinity"),
    ("timestamptz", "-infinity 4714-11-24T00:00:00+00BC 0001-12-31T23:59:59.999999+00BC 1969-12-31T23:59:59.9+00 "
                    "294276-12-31T23:59:59.999999+00 infinity"),
]
TYPES = """
CREATE EXTENSION citext;
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad');
CREATE TYPE duo AS (n integer, t text);
CREATE DOMAIN short_word AS text COLLATE "sv-x-icu" CHECK (length(VALUE) < 20)
"""


def key_names(columns):
    return ", ".join(column.split()[0] for column in columns.split(", "))


class Keys(CopyCase):
    def many(self):
        stage = self.stage()
        for database in (stage.shop, stage.copy):
            for statement in TYPES.split(";"):
                database.run(statement)
        for name, columns, values in KEYS:
            names = key_names(columns)
            self.rows(stage, name, ROWS, f"{columns}, n integer, wide text, PRIMARY KEY ({names})",
                      f"{values}, i, repeat(md5(i::text), 80)")
            stage.shop.run(f"ALTER TABLE {name} ALTER wide SET STORAGE EXTERNAL")
        return stage

    def step(self, chance):
        """Rows are found by `n`, which stays; keys move to numbers nobody else has."""
        taken = {name: ROWS for name, _, _ in KEYS}

        def step(cursor):
            name, columns, values = chance.choice(KEYS)
            names = key_names(columns)
            taken[name] += 1
            at, to = chance.randrange(1, ROWS), taken[name]
            what = chance.randrange(6)
            if what == 0:
                cursor.execute(f"DELETE FROM {name} WHERE n = {at}")
            elif what == 1:
                cursor.execute(f"INSERT INTO {name} SELECT {values}, {at}, repeat(md5('{to}'), 80) "
                               f"FROM (SELECT {to} AS i) s")
            elif what == 2:
                cursor.execute(f"UPDATE {name} SET wide = repeat(md5('{to}'), 90) WHERE n = {at}")
            elif what == 3:
                # One of them, if there are several with that number.
                cursor.execute(f"UPDATE {name} SET ({names}) = (SELECT {values} FROM (SELECT {to} AS i) "
                               f"s) WHERE ctid = (SELECT ctid FROM {name} WHERE n = {at} LIMIT 1)")
            else:
                cursor.execute(f"UPDATE {name} SET n = n WHERE n = {at}")
        return step

    def test_keys_of_every_type_while_they_change(self):
        stage = self.many()
        writers = [Writer(stage.shop, self.step(random.Random(seed())))]
        for writer in writers:
            writer.start()
        kinds = ("postgres", "sqlite", "file")
        for kind in kinds:
            stage.subscribe(kind, **SMALL)
        chance = random.Random(seed())
        for _ in range(4):
            time.sleep(chance.random() * 2)
            stage.daemon.kill()
            stage.daemon.start()
        for kind in kinds:
            self.finished(stage, kind, 120)
        for writer in writers:
            writer.finish()
        stage.compare(*kinds)
        for kind in kinds:
            # The bytes of "char" are in the order of the index; so is bytea.
            self.assertEqual({row[0]: row[2] for row in self.copies(stage, kind)},
                             {name: "ordered" if name == "letter" else "lenient" for name, _, _ in KEYS})

    def test_keys_that_are_converted_on_the_way(self):
        """In bytes of LATIN2 and of UTF-8 they are in another order."""
        stage = self.stage(install=False)
        stage.source.run("CREATE DATABASE other ENCODING 'LATIN2' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        stage.shop.close()
        stage.shop = Utf8Database(stage.source, "other")
        stage.daemon = Daemon(stage.folder, stage.shop.dsn())
        stage.install()
        shown = "(ARRAY['é', 'z', 'Š', 'ł', 'a'])[1 + %s %% 5] || %s"
        self.rows(stage, "word", ROWS, "a text PRIMARY KEY, n integer, wide text",
                  f"{shown % ('i', 'i')}, i, repeat(md5(i::text), 80)")
        stage.shop.run("ALTER TABLE word ALTER wide SET STORAGE EXTERNAL")
        chance = random.Random(seed())

        def step(cursor):
            at, to = chance.randrange(1, ROWS), chance.randrange(ROWS, 100 * ROWS)
            change = chance.choice((f"UPDATE word SET a = {shown % (to, to)} WHERE n = {at}",
                                    f"DELETE FROM word WHERE n = {at}",
                                    f"INSERT INTO word VALUES ({shown % (to, to)}, {to}, 'new')",
                                    f"UPDATE word SET n = n + 1 WHERE n = {at}"))
            cursor.execute(change)
        writer = Writer(stage.shop, step)
        writer.start()
        kinds = ("postgres", "file")
        for kind in kinds:
            stage.subscribe(kind, **{**SMALL, "rows_per_second": 2000})
        time.sleep(0.7)
        stage.daemon.kill()
        stage.daemon.start()
        for kind in kinds:
            self.finished(stage, kind)
        writer.finish()
        stage.compare(*kinds)
        for kind in kinds:
            self.assertEqual({row[2] for row in self.copies(stage, kind)}, {"lenient"})

    def test_no_long_transaction(self):
        stage = self.stage()
        self.rows(stage, "word", 20000, 'a text COLLATE "en-x-icu" PRIMARY KEY, n integer', "'w' || i, i")
        stage.subscribe("postgres", **{**SMALL, "rows_per_second": 5000})
        oldest = set()
        while not self.is_copied(stage, "postgres"):
            oldest.update(stage.shop.run(
                "SELECT backend_xmin FROM pg_stat_activity WHERE backend_xmin IS NOT NULL "
                "AND pid <> pg_backend_pid()"))
            stage.shop.run("INSERT INTO word VALUES ('n' || txid_current(), 0)")
            time.sleep(0.02)
        stage.compare("postgres")
        self.assertGreater(len(oldest), 1)  # of one snapshot it would be one
        self.assertGreater(self.copies(stage, "postgres")[0][4], 4)

    def test_a_label_that_gets_another_name(self):
        stage = self.stage()
        for database in (stage.shop, stage.copy):
            database.run("CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad')")
        self.rows(stage, "mood_row", 20000, "a mood, b integer, PRIMARY KEY (a, b)",
                  "(ARRAY['sad', 'so so', 'glad'])[1 + i % 3]::mood, i")
        stage.subscribe("postgres", **{**SMALL, "rows_per_second": 10000})
        self.wait_rows(stage, 7000)
        stage.shop.run("SELECT fanout.pause_backfill('postgres')")
        for database in (stage.copy, stage.shop):
            database.run("ALTER TYPE mood RENAME VALUE 'sad' TO 'down'")
            database.run("ALTER TYPE mood RENAME VALUE 'so so' TO 'fair'")
        stage.shop.run("SELECT fanout.resume_backfill('postgres')")
        self.finished(stage, "postgres")
        stage.compare("postgres")

    def test_a_key_to_be_read_again_whose_label_gets_another_name(self):
        """It alone: no range ends there, so that nobody but its own chunk sees that it is unknown (into an array
        nobody looks)."""
        stage = self.stage()
        for database in (stage.shop, stage.copy):
            database.run("CREATE TYPE mood AS ENUM ('sad', 'glad', 'rare', 'never')")
        self.rows(stage, "mood_row", 9000, "a mood[], b integer, n integer, wide text, PRIMARY KEY (a, b)",
                  "ARRAY[(ARRAY['sad', 'glad'])[1 + i % 2]::mood], i, i, repeat(md5(i::text), 80)")
        stage.shop.run("ALTER TABLE mood_row ALTER wide SET STORAGE EXTERNAL")
        stage.shop.run("UPDATE mood_row SET wide = wide || '.'")  # out of line from now on
        stage.subscribe("postgres", **SMALL, rows_per_second=2000)
        self.wait_rows(stage, 500)
        stage.shop.run("SELECT fanout.pause_backfill('postgres')")
        wait_until("nobody reads", lambda: not stage.shop.run(
            "SELECT FROM pg_stat_activity WHERE application_name = 'fanoutd' AND "
            "(query LIKE 'COPY%' OR query LIKE '%_settle%')"))
        # The row is at the target or it is not; its new place is read again.
        stage.shop.run("UPDATE mood_row SET a = '{rare}' WHERE b IN (2, 8999, 9000)")
        self.assertTrue(stage.shop.value("SELECT fanout.wait_for('postgres', backfill => false)"))
        for database in (stage.copy, stage.shop):
            database.run("ALTER TYPE mood RENAME VALUE 'rare' TO 'seldom'")
        stage.shop.run("SELECT fanout.alter_subscription('postgres', '{\"rows_per_second\": null}')")
        stage.shop.run("SELECT fanout.resume_backfill('postgres')")
        self.finished(stage, "postgres")
        stage.compare("postgres")
        self.assertIn("its keys are not what they were", stage.daemon.log_tail(10**6))

    def test_chunks_that_end_at_the_last_values_of_types(self):
        """Each row is more than a chunk may have, so each of the values ends one."""
        stage = self.stage()
        for number, (name, values) in enumerate(BOUNDS):
            stage.shop.run(f"CREATE TABLE t{number} (k {name} PRIMARY KEY, wide text)")
            for value in values.split(" "):
                stage.shop.run(f"INSERT INTO t{number} VALUES (%s, repeat('x', 200000))", (value,))
            stage.tables.append(f"public.t{number}")
        stage.subscribe("postgres", **SMALL)
        self.finished(stage, "postgres")
        stage.compare("postgres")
        for row in stage.shop.run("SELECT table_name, mode, chunks, rows_done, retries FROM fanout.backfills"):
            self.assertEqual((row[1], row[4]), ("ordered", 0), row)
            self.assertGreaterEqual(row[2], row[3], row)

    def test_labels_that_exchange_their_names(self):
        """Bounds are written by their labels, and those name other keys by then. Before and behind a restart."""
        for restarts in (False, True):
            with self.subTest(restarts=restarts):
                stage = self.stage()
                for database in (stage.shop, stage.copy):
                    database.run("CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad')")
                self.rows(stage, "mood_row", 9000, "a mood, b integer, note text, PRIMARY KEY (a, b)",
                          "(ARRAY['sad', 'so so', 'glad'])[1 + i % 3]::mood, i, repeat('x', 50)")
                stage.subscribe("postgres", **SMALL, rows_per_second=1500)
                self.wait_rows(stage, 500)
                stage.shop.run("SELECT fanout.pause_backfill('postgres')")
                if restarts:
                    stage.daemon.stop()
                for database in (stage.copy, stage.shop):
                    for was, now in (("sad", "x"), ("glad", "sad"), ("x", "glad")):
                        database.run(f"ALTER TYPE mood RENAME VALUE '{was}' TO '{now}'")
                if restarts:
                    stage.daemon.start()
                stage.shop.run("SELECT fanout.resume_backfill('postgres')")
                self.finished(stage, "postgres")
                stage.compare("postgres")

    def test_a_label_that_is_added(self):
        stage = self.stage()
        for database in (stage.shop, stage.copy):
            database.run("CREATE TYPE mood AS ENUM ('sad', 'glad')")
        self.rows(stage, "mood_row", 6000, "a mood, b integer, note text, PRIMARY KEY (a, b)",
                  "(ARRAY['sad', 'glad'])[1 + i % 2]::mood, i, repeat('x', 50)")
        stage.subscribe("postgres", **SMALL, rows_per_second=1500)
        self.wait_rows(stage, 500)
        for database in (stage.copy, stage.shop):
            database.run("ALTER TYPE mood ADD VALUE 'so so' BEFORE 'glad'")
        stage.shop.run("INSERT INTO mood_row VALUES ('so so', 1)")
        self.finished(stage, "postgres")
        stage.compare("postgres")
        self.assertNotIn("copy begins anew", stage.daemon.process.log_text())

    def wait_rows(self, stage, count):
        while self.copies(stage, "postgres")[0][3] < count:
            time.sleep(0.02)


main()
