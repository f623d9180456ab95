"""Values far larger than fanoutd's memory may be: they arrive whole, and the memory stays."""
import hashlib
import os
import sqlite3
import time
import unittest

from fanout_test.case import Case, main
from fanout_test.huge import MEGABYTE, Memory, hash_in_file
from fanout_test.processes import wait_until

TEXT_MB = int(os.environ.get("FANOUT_HUGE_TEXT_MB", "160"))
BYTES_MB = int(os.environ.get("FANOUT_HUGE_BYTES_MB", "200"))
# What fanoutd takes anyway, and what the buffers of three lanes take.
BOUND_MB = 128
# The server makes up a row in at most 1 GB - 1: the field, its header, and the rest of its row.
FIELD_BYTES_MAX = 1024 * MEGABYTE - 128
SECONDS = 600


class HugeValues(Case):
    def hashes(self, database, row=1):
        return database.run("SELECT encode(sha256(t::bytea), 'hex'), encode(sha256(b), 'hex') "
                            "FROM huge WHERE id = %s", (row,))[0]

    def write(self, stage, statement, *kinds):
        """Runs it, waits, and returns the most memory of fanoutd and of the worker, in MB."""
        memory = Memory(stage.daemon.process.pid)
        worker = Memory(stage.slot()["active_pid"])
        stage.shop.run(statement)
        stage.wait_for(*kinds, seconds=SECONDS)
        return memory.finish(), worker.finish()

    def stage_with_table(self, *kinds, **options):
        stage = self.stage()
        stage.shop.run("CREATE TABLE huge (id integer PRIMARY KEY, t text, b bytea, n integer, "
                       "\"an odd $1 \"\"name\" text DEFAULT 'odd')")
        for kind in kinds:
            stage.subscribe(kind, ["public.*"], **options)
        stage.shop.run("INSERT INTO huge VALUES (0, 'small', 'small', 0)")
        stage.wait_for(*kinds)
        return stage

    def insert(self, text_bytes, bytes_bytes, row=1):
        def text(seed, length):  # never longer than it has to be: the server has no room for more
            return f"repeat(md5('{seed}'), {length // 32}) || left(md5('{seed}'), {length % 32})"
        return (f"INSERT INTO huge VALUES ({row}, {text(row, text_bytes)}, "
                f"({text(f'b{row}', bytes_bytes)})::bytea, 0)")

    def check_file(self, stage, line, row=1):
        text, binary = self.hashes(stage.shop, row)
        self.assertEqual(hash_in_file(stage.file_path, line, "t", False)[0], text)
        self.assertEqual(hash_in_file(stage.file_path, line, "b", True)[0], binary)

    def test_memory_is_bounded_without_a_copy_of_the_value(self):
        stage = self.stage_with_table("postgres", "file", "blackhole")
        kinds = ("postgres", "file", "blackhole")
        daemon, worker = self.write(stage, self.insert(TEXT_MB * MEGABYTE, BYTES_MB * MEGABYTE), *kinds)
        self.assertEqual(self.hashes(stage.copy), self.hashes(stage.shop))
        self.check_file(stage, 1)
        print(f"insert: fanoutd {daemon} MB, worker {worker} MB", flush=True)
        self.assertLess(daemon, BOUND_MB)
        daemon, worker = self.write(stage, "UPDATE huge SET t = t || 'more', b = substr(b, 9), n = 1 WHERE id = 1",
                                    *kinds)
        self.assertEqual(self.hashes(stage.copy), self.hashes(stage.shop))
        self.check_file(stage, 2)
        print(f"update: fanoutd {daemon} MB, worker {worker} MB", flush=True)
        self.assertLess(daemon, BOUND_MB)
        # Not in the WAL, not touched; and small rows beside a large one keep their order.
        stage.shop.run("UPDATE huge SET n = 2 WHERE id = 1")
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO huge VALUES (2, 'a', 'a', 0)")
            cursor.execute(self.insert(40 * MEGABYTE, 100, row=3))
            cursor.execute("UPDATE huge SET t = 'b' WHERE id = 2")
            cursor.execute("DELETE FROM huge WHERE id = 0")
        connection.close()
        stage.wait_for(*kinds, seconds=SECONDS)
        query = 'SELECT id, md5(t), md5(b), n, "an odd $1 ""name" FROM huge ORDER BY id'
        self.assertEqual(stage.copy.run(query), stage.shop.run(query))
        self.assertEqual(stage.status("postgres")["retries"], 0)

    def test_sqlite_needs_the_row_once(self):
        stage = self.stage_with_table("sqlite")
        daemon, _ = self.write(stage, self.insert(TEXT_MB * MEGABYTE, BYTES_MB * MEGABYTE), "sqlite")
        print(f"insert: fanoutd {daemon} MB", flush=True)
        self.assertLess(daemon, BOUND_MB + TEXT_MB + BYTES_MB)
        database = sqlite3.connect(stage.sqlite_path)
        text, binary = database.execute("SELECT t, b FROM huge WHERE id = 1").fetchone()
        database.close()
        self.assertEqual((hashlib.sha256(text.encode()).hexdigest(), hashlib.sha256(binary).hexdigest()),
                         self.hashes(stage.shop))

    def test_a_value_the_target_has_no_room_for_is_parked_and_holds_nothing(self):
        """SQLite takes no value of 1 GB; nor does a check at a PostgreSQL target take this one."""
        stage = self.stage()
        stage.shop.run("CREATE TABLE huge (id integer PRIMARY KEY, t text, b bytea, n integer)")
        stage.copy.run("CREATE TABLE huge (id integer PRIMARY KEY, t text, b bytea CHECK (length(b) < 100000), "
                       "n integer)")
        stage.subscribe("postgres", ["public.*"], on_reject="park")
        stage.subscribe("file", ["public.*"])
        daemon, _ = self.write(stage, self.insert(10, BYTES_MB * MEGABYTE), "postgres", "file")
        stage.shop.run("INSERT INTO huge VALUES (2, 'small', 'small', 0)")
        stage.wait_for("postgres", "file")
        self.assertLess(daemon, BOUND_MB)
        self.assertEqual(stage.copy.run("SELECT id FROM huge"), [(2,)])
        self.check_file(stage, 0)
        wait_until("it is parked", lambda: stage.shop.run("SELECT state FROM fanout.dead_letters") == [("parked",)])
        stage.copy.run("ALTER TABLE huge DROP CONSTRAINT huge_b_check")
        memory = Memory(stage.daemon.process.pid)
        stage.shop.run("SELECT fanout.redrive('postgres')")
        wait_until("it is delivered", lambda: stage.copy.value("SELECT count(*) FROM huge") == 2)
        self.assertLess(memory.finish(), BOUND_MB)
        self.assertEqual(self.hashes(stage.copy), self.hashes(stage.shop))


class Largest(Case):
    """Only with FANOUT_SOAK: a text of 1 GB, a bytea of 700 MB, and a jsonb near what one can be."""

    hashes, write, insert = HugeValues.hashes, HugeValues.write, HugeValues.insert

    @unittest.skipUnless(os.environ.get("FANOUT_SOAK"), "long: scripts/test -L soak")
    def test_the_largest_values_there_are(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE huge (id integer PRIMARY KEY, t text, b bytea, n integer)")
        stage.shop.run("CREATE TABLE documents (id integer PRIMARY KEY, j jsonb)")
        for kind in ("postgres", "blackhole"):
            stage.subscribe(kind, ["public.*"])
        kinds = ("postgres", "blackhole")
        for statement in (self.insert(FIELD_BYTES_MAX, 10, 1), self.insert(10, 700 * MEGABYTE, 2),
                          "INSERT INTO documents SELECT 1, jsonb_build_object('a', repeat('x', 250000000))"):
            began = time.monotonic()
            daemon, worker = self.write(stage, statement, *kinds)
            print(f"fanoutd {daemon} MB, worker {worker} MB, {time.monotonic() - began:.0f} s", flush=True)
            self.assertLess(daemon, BOUND_MB)
        for row in (1, 2):
            query = f"SELECT md5(t), md5(b) FROM huge WHERE id = {row}"
            self.assertEqual(stage.copy.run(query), stage.shop.run(query))
        query = "SELECT md5(j::text) FROM documents"
        self.assertEqual(stage.copy.run(query), stage.shop.run(query))


main()
