"""Rows with values far larger than fanoutd's memory may be, copied: exact, and the memory stays."""
import hashlib
import os
import resource
import sqlite3
import subprocess
import time
import unittest

from fanout_test.case import main
from fanout_test.copying import CopyCase, Writer
from fanout_test.daemon import Daemon
from fanout_test.huge import MEGABYTE, Memory, hash_of_row, private_mb
from fanout_test.postgres import Database
from fanout_test.processes import wait_until

BYTES_MB = int(os.environ.get("FANOUT_HUGE_BYTES_MB", "200"))
TEXT_MB = int(os.environ.get("FANOUT_HUGE_TEXT_MB", "150"))
# What a copy may take of fanoutd's memory, whatever the values' size.
COPY_MB = 64
SECONDS = 600
MANY_BYTES = "žluťoučký kůň, 漢字, 😀"
COLUMNS = {"c": False, "e": False, "b": True, "x": True}  # is it bytes?
HASHES = ", ".join(f"encode(sha256({name}{'' if is_bytes else '::bytea'}), 'hex')"
                   for name, is_bytes in COLUMNS.items())
BRITTLE = """
CREATE TYPE brittle;
CREATE FUNCTION brittle_in(cstring) RETURNS brittle LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION brittle_out(brittle) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS '%s';
CREATE TYPE brittle (INPUT = brittle_in, OUTPUT = brittle_out, LIKE = text);
"""


def text(megabytes, salt):
    """Of characters of one to four bytes; no multiple of any size of a piece."""
    size = len(MANY_BYTES.encode()) + 1
    return f"'{salt}' || repeat('{MANY_BYTES}{salt}', {megabytes * MEGABYTE // size})"


def bytes_of(megabytes, salt):
    return f"decode(repeat(md5('{salt}'), {megabytes * MEGABYTE // 16}) || 'ab', 'hex')"


class LargeValues(CopyCase):
    def stage_with(self, *rows, key="PRIMARY KEY"):
        """rows: megabytes of the text (compressed), the text (as it is), the bytes (both ways)."""
        stage = self.stage()
        stage.shop.run(f"CREATE TABLE huge (id integer {key}, c text, e text, b bytea, x bytea, n integer)")
        stage.shop.run("ALTER TABLE huge ALTER e SET STORAGE EXTERNAL, ALTER x SET STORAGE EXTERNAL")
        for number, (c, e, b, x) in enumerate(rows, 1):
            stage.shop.run(f"INSERT INTO huge VALUES ({number}, {text(c, 1)}, {text(e, 2)}, "
                           f"{bytes_of(b, 3)}, {bytes_of(x, 4)}, 0)")
        stage.shop.run("INSERT INTO huge SELECT i, 'small', 'small', 'small', '', 0 FROM generate_series(100, 400) i")
        stage.shop.run("INSERT INTO huge VALUES (50, NULL, '', NULL, '', 0), (51, repeat('a', 5000000), NULL, '', NULL, 0)")
        return stage

    def shown(self, database):
        return database.run(f"SELECT id, {HASHES}, n FROM huge ORDER BY id")

    def copy_to(self, stage, kind, bound=COPY_MB, **options):
        """Most memory above what there was before, in MiB."""
        before = private_mb(stage.daemon.process.pid)
        memory = Memory(stage.daemon.process.pid)
        began = time.monotonic()
        stage.subscribe(kind, ["public.*"], backfill=True, **options)
        self.finished(stage, kind, SECONDS)
        most = memory.finish() - before
        print(f"{kind}: {most} MB above {before} MB, {time.monotonic() - began:.1f} s", flush=True)
        self.assertLess(most, bound)

    def check_file(self, stage, rows):
        for row in self.shown(stage.shop):
            if row[0] not in rows:
                continue
            for (name, is_bytes), wanted in zip(COLUMNS.items(), row[1:5]):
                self.assertEqual(hash_of_row(stage.file_path, row[0], name, is_bytes)[0], wanted, name)

    def test_far_larger_than_memory(self):
        stage = self.stage_with((TEXT_MB, TEXT_MB, BYTES_MB, BYTES_MB), (20, 20, 20, 20), (20, 1, 20, 1),
                                (1, 20, 1, 20))
        self.copy_to(stage, "postgres")
        self.assertEqual(self.shown(stage.copy), self.shown(stage.shop))
        self.copy_to(stage, "file")
        self.check_file(stage, {1, 2, 3, 4})

    def test_without_a_key_and_to_sqlite(self):
        stage = self.stage_with((20, 21, 22, 23), (5, 6, 7, 8), (30, 0, 0, 0), key="NOT NULL")
        self.copy_to(stage, "postgres")
        self.assertEqual({row[2] for row in self.copies(stage, "postgres")}, {"snapshot"})
        self.assertEqual(self.shown(stage.copy), self.shown(stage.shop))
        # SQLite makes up a row in memory, and the one before goes only then.
        self.copy_to(stage, "sqlite", COPY_MB + 2 * 90)
        database = sqlite3.connect(stage.sqlite_path)
        kept = {}
        for row in database.execute("SELECT id, c, e, b, x, n FROM huge"):
            values = [value.encode() if isinstance(value, str) else value for value in row[1:5]]
            kept[row[0]] = tuple(None if value is None else hashlib.sha256(value).hexdigest() for value in values)
        database.close()
        self.assertEqual(kept, {row[0]: row[1:5] for row in self.shown(stage.shop)})

    def test_while_the_rows_change(self):
        stage = self.stage_with(*((6, 5, 1, 5) for _ in range(12)))
        step_of = iter(range(1, 10 ** 9))

        def step(cursor):
            i = next(step_of)
            time.sleep(0.05)
            if i > 200:  # rows whose key changes are read again: at some time that has to end
                return
            row = 1 + i % 12
            if i % 7 == 0:
                cursor.execute(f"UPDATE huge SET c = {text(5, i)} WHERE id = %s", (row,))
            elif i % 11 == 0:
                cursor.execute("UPDATE huge SET id = id + 1000 WHERE id = %s", (row,))
                cursor.execute("UPDATE huge SET id = id - 1000 WHERE id = %s", (row + 1000,))
            else:
                cursor.execute("UPDATE huge SET n = n + 1 WHERE id = %s", (row,))
        writer = Writer(stage.shop, step, per_transaction=1)
        writer.start()
        for kind in ("postgres", "file"):
            stage.subscribe(kind, ["public.*"], backfill=True)
        for kind in ("postgres", "file"):
            self.finished(stage, kind, 120)
        writer.finish()
        self.assertGreater(writer.count, 20)
        stage.tables.append("public.huge")
        stage.compare("postgres", "file", seconds=SECONDS)

    def test_killed_meanwhile(self):
        stage = self.stage_with(*((10, 10, 10, 10) for _ in range(8)))
        stage.subscribe("postgres", ["public.*"], backfill=True, bytes_per_second=60 * MEGABYTE)
        for _ in range(3):
            time.sleep(1)
            stage.daemon.kill()
            stage.daemon.start()
        self.finished(stage, "postgres", SECONDS)
        self.assertEqual(self.shown(stage.copy), self.shown(stage.shop))
        journal = [name for _, _, names in os.walk(stage.folder) for name in names if "large-value" in name]
        self.assertEqual(journal, [])

    def without_room(self, stage, reason, make_room):
        """The copy says so, changes are delivered, and when there is room the copy is complete."""
        for table, size in (("huge", 40), ("small", 0)):
            stage.shop.run(f"CREATE TABLE {table} (id integer PRIMARY KEY, b bytea)")
            stage.shop.run(f"INSERT INTO {table} SELECT i, {bytes_of(size, 5)} FROM generate_series(1, 2) i")
            stage.tables.append(f"public.{table}")
        stage.subscribe("postgres", ["public.*"], backfill=True)

        def error():
            return stage.shop.value("SELECT last_error FROM fanout.backfills WHERE table_name = 'huge'") or ""
        wait_until("the copy says why", lambda: reason in error())
        wait_until("the copy says what to do", lambda: stage.daemon.state in error() and "make room there" in error())
        for i in range(20):
            stage.shop.run("INSERT INTO small VALUES (%s, 'new')", (100 + i,))
        wait_until("changes are delivered", lambda: stage.copy.value(
            "SELECT count(*) FROM small WHERE b = 'new'") == 20)
        self.assertFalse(self.is_copied(stage, "postgres"))
        make_room()
        self.finished(stage, "postgres")
        stage.compare("postgres")

    def test_on_a_disk_that_is_full(self):
        """The journal's and the values'."""
        stage = self.stage(start=False)
        state = stage.daemon.state
        os.mkdir(state)

        def mount(*arguments):
            return subprocess.run(["mount", "-t", "tmpfs", *arguments, "none", state], capture_output=True,
                                  text=True, check=False)
        mounted = mount("-o", "size=24m")
        if mounted.returncode != 0:
            self.skipTest(f"no file system can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", state], check=True)
        stage.daemon.options = ["--journal-segment-bytes", "1MB"]
        stage.daemon.start()
        self.without_room(stage, "No space left on device", lambda: self.assertEqual(
            mount("-o", "remount,size=400m").returncode, 0))
        disk = os.statvfs(state)
        self.assertLess((disk.f_blocks - disk.f_bfree) * disk.f_frsize, 20 * MEGABYTE)

    def test_behind_a_limit_of_file_sizes(self):
        stage = self.stage(start=False)
        stage.daemon.options = ["--journal-segment-bytes", "1MB"]
        stage.daemon.start()

        def limit(size):
            _, most = resource.prlimit(stage.daemon.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(stage.daemon.process.pid, resource.RLIMIT_FSIZE, (size, most))
        limit(16 * MEGABYTE)
        self.without_room(stage, "File too large", lambda: limit(1024 * MEGABYTE))

    def test_other_types_partitions_masks(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE DOMAIN long AS text CHECK (value <> 'x')")
        run("CREATE TABLE part (id integer, j jsonb, js json, a text[], d long, v varchar, secret text, m xml, "
            "PRIMARY KEY (id)) PARTITION BY RANGE (id)")
        run("CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (10)")
        run("CREATE TABLE part_2 (n integer, m xml, secret text, v varchar, d long, a text[], js json, j jsonb, "
            "id integer NOT NULL)")
        run("ALTER TABLE part_2 DROP COLUMN n")
        run("ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (20)")
        for row in (1, 2, 11, 12):
            run(f"""INSERT INTO part SELECT {row}, jsonb_build_object('a', s, 'row', {row}), json_build_object('b', s),
                ARRAY[s, NULL, 'x"y'], s, s, s, xmlparse(content '<a>' || s || '</a>')
                FROM (SELECT {text(6, row)} AS s) AS s""")
        run("INSERT INTO part VALUES (3), (13)")
        entry = '{"table": "public.part", "masks": {"secret": "last4"}}'
        before = private_mb(stage.daemon.process.pid)
        memory = Memory(stage.daemon.process.pid)
        stage.copy.run("CREATE TABLE part (id integer PRIMARY KEY, j jsonb, js json, a text[], d text, v varchar, "
                       "secret text, m xml)")
        stage.subscribe("postgres", [entry], backfill=True, via_root=True, create_tables=False)
        self.finished(stage, "postgres", SECONDS)
        self.assertLess(memory.finish() - before, COPY_MB)
        query = ("SELECT id, md5(j::text), md5(js::text), md5(a::text), md5(d::text), md5(v), md5({}), md5(m::text) "
                 "FROM part ORDER BY id")
        masked = "(SELECT fanout._mask(secret, 'last4', -1, NULL))"
        self.assertEqual(stage.copy.run(query.format("secret")), run(query.format(masked)))

    def test_a_source_in_latin1(self):
        stage = self.stage(install=False)
        stage.source.run("CREATE DATABASE other ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        stage.shop.close()
        stage.shop = Database(stage.source, "other")
        stage.daemon = Daemon(stage.folder, stage.shop.dsn())
        stage.install()
        # Longer in UTF-8 than it is stored, and its characters lie across the pieces' ends.
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, t text, a text[])")
        stage.shop.run("INSERT INTO t SELECT i, s || i, ARRAY[s] FROM "
                       "(SELECT 'a' || repeat(chr(233) || chr(252), 5000000) AS s) AS s, generate_series(1, 2) i")
        stage.subscribe("postgres", ["public.t"], backfill=True)
        self.finished(stage, "postgres")
        query = ("SELECT id, encode(sha256(convert_to(t, 'UTF8')), 'hex'), "
                 "encode(sha256(convert_to(a::text, 'UTF8')), 'hex') FROM t ORDER BY id")
        self.assertEqual(stage.copy.run(query), stage.shop.run(query))

    def stage_with_type(self, **options):
        stage = self.stage()
        stage.shop.run(BRITTLE % "shell_out")
        stage.copy.run(BRITTLE % "textout")
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v brittle)")
        stage.shop.run("INSERT INTO t VALUES (1, NULL), (3, NULL)")
        stage.shop.run("INSERT INTO t SELECT 2, brittle_in(textout(repeat('x', 20000000)))")
        stage.subscribe("postgres", ["public.*"], backfill=True, **options)
        return stage

    def test_a_value_that_the_source_cannot_show_is_parked(self):
        stage = self.stage_with_type(on_reject="park")
        self.finished(stage, "postgres")
        self.assertEqual(stage.copy.run("SELECT id FROM t ORDER BY id"), [(1,), (3,)])

        def letters():
            return stage.shop.run("SELECT state, table_name, error FROM fanout.dead_letters")
        wait_until("it is reported", lambda: len(letters()) == 1)
        self.assertEqual(letters()[0][:2], ("parked", "t"))
        for part in ("(id)=(2)", "public.t", "cannot be read at the source", "shell type"):
            self.assertIn(part, letters()[0][2])

    def test_a_value_that_the_source_cannot_show_stops(self):
        stage = self.stage_with_type()
        row = stage.wait_state("postgres", "failed")
        self.assertIn("the row (id)=(2) of public.t cannot be read at the source", row["last_error"])
        self.assertIn("fanout.resume_subscription('postgres')", row["last_error_hint"])
        stage.shop.run("DELETE FROM t WHERE id = 2")
        stage.shop.run("SELECT fanout.resume_subscription('postgres')")
        self.finished(stage, "postgres")
        self.assertEqual(stage.copy.run("SELECT id FROM t ORDER BY id"), [(1,), (3,)])


    def test_small_ones_that_the_source_cannot_show(self):
        """In the midst of many rows, of a table whose rows are found by key and of one whose are not."""
        stage = self.stage()
        stage.shop.run(BRITTLE % "shell_out")
        stage.copy.run(BRITTLE % "textout")
        for table, key in (("t", "PRIMARY KEY"), ("u", "NOT NULL")):
            stage.shop.run(f"CREATE TABLE {table} (id integer {key}, v brittle, j jsonb, a int[])")
            stage.shop.run(f"INSERT INTO {table} SELECT i, CASE WHEN i IN (7, 5000, 5001) THEN brittle_in('x') END, "
                           "jsonb_build_object('i', i), ARRAY[i, NULL] FROM generate_series(1, 9000) i")
        stage.subscribe("postgres", ["public.*"], backfill=True, on_reject="park", chunk_bytes="64kB")
        self.finished(stage, "postgres")
        for table in ("t", "u"):
            query = f"SELECT id, j::text, a FROM {table} {{}} ORDER BY id"
            self.assertEqual(stage.copy.run(query.format("")), stage.shop.run(query.format("WHERE v IS NULL")))
        wait_until("they are reported", lambda: stage.shop.run(
            "SELECT table_name, count(*) FROM fanout.dead_letters GROUP BY 1 ORDER BY 1") == [("t", 3), ("u", 3)])
        errors = [row[0] for row in stage.shop.run("SELECT error FROM fanout.dead_letters")]
        self.assertEqual(sum("(id)=(5001)" in error for error in errors), 1)


class Largest(CopyCase):
    """Only with FANOUT_SOAK: the longest text there is, copied."""

    @unittest.skipUnless(os.environ.get("FANOUT_SOAK"), "long: scripts/test -L soak")
    def test_a_text_of_a_gigabyte(self):
        stage = self.stage()
        # The most that a row can have where it is written at once; a COPY of it could not be sent.
        size = 1024 * MEGABYTE - 128
        stage.shop.run("CREATE TABLE huge (id integer PRIMARY KEY, t text, u text)")
        stage.shop.run("ALTER TABLE huge ALTER u SET STORAGE EXTERNAL")
        stage.shop.run(f"INSERT INTO huge VALUES (1, repeat('{'x' * 64}', {size // 64}), 'small'), "
                       f"(2, 'small', repeat('{'y' * 64}', {700 * MEGABYTE // 64}))")
        before = private_mb(stage.daemon.process.pid)
        for kind in ("postgres", "blackhole"):
            memory = Memory(stage.daemon.process.pid)
            began = time.monotonic()
            stage.subscribe(kind, ["public.*"], backfill=True)
            self.finished(stage, kind, SECONDS)
            most = memory.finish() - before
            print(f"{kind}: {most} MB above {before} MB, {time.monotonic() - began:.1f} s", flush=True)
            self.assertLess(most, COPY_MB)
        query = "SELECT id, md5(t), md5(u) FROM huge ORDER BY id"
        self.assertEqual(stage.copy.run(query), stage.shop.run(query))


main()
