"""What a copy does with tables, targets and limits of every kind."""
import random
import threading
import time

import psycopg2

from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase, Writer
from fanout_test.processes import wait_until

BUILDS = r'''
CREATE SCHEMA "Back Office";
CREATE TABLE "Back Office"."Odd ""Name""" ("Key, one" text COLLATE "C", "select" integer,
    "Ünïcode" text, PRIMARY KEY ("select", "Key, one"));
INSERT INTO "Back Office"."Odd ""Name"""
    SELECT 'k''"' || i, i % 100, repeat('ü', i % 9) FROM generate_series(1, 3000) i;
CREATE TABLE parent (id integer PRIMARY KEY, note text);
CREATE TABLE child (more integer, PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent SELECT i, 'parent' FROM generate_series(1, 1500) i;
INSERT INTO child SELECT i, 'child', i FROM generate_series(1001, 2500) i;
CREATE TABLE made (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED,
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
INSERT INTO made (a) SELECT i FROM generate_series(1, 2000) i;
CREATE TABLE part (id integer, region text, n integer, PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE part_north PARTITION OF part FOR VALUES IN ('north');
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part SELECT i, CASE i % 3 WHEN 0 THEN 'north' ELSE 'r' || i % 5 END, i
    FROM generate_series(1, 3000) i;
CREATE TABLE named (a integer, code integer NOT NULL, n integer);
CREATE UNIQUE INDEX named_code ON named (code);
ALTER TABLE named REPLICA IDENTITY USING INDEX named_code;
INSERT INTO named SELECT i, 5000 - i, i FROM generate_series(1, 2000) i'''


class Peak(threading.Thread):
    """The largest private memory of a process, in MiB, until finish()."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.stop_asked = pid, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.stop_asked.wait(0.02):
            with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                for line in file:
                    if line.startswith("RssAnon:"):
                        self.most = max(self.most, int(line.split()[1]) / 1024)

    def finish(self):
        self.stop_asked.set()
        self.join()
        return self.most


class Rules(CopyCase):
    def test_rates(self):
        stage = self.stage()
        self.rows(stage, "t", 6000)
        for limit in ({"rows_per_second": 3000}, {"bytes_per_second": "32kB"}):
            name = next(iter(limit))
            path = f"{stage.folder}/{name}.jsonl"
            stage.subscribe("file", ["public.t"], name=name, target_options={
                "path": path, "format": "json"}, **{**SMALL, "workers": 3}, **limit)
            self.finished(stage, name)
            row = stage.shop.row("""SELECT extract(epoch FROM finished_at - started_at)::float AS s,
                rows_done AS rows, bytes_done AS bytes FROM fanout.backfills
                WHERE subscription = %s""", (name,))
            self.assertEqual(row["rows"], 6000)
            allowed = 3000 if name == "rows_per_second" else 32 * 1024
            done = row["rows"] if name == "rows_per_second" else row["bytes"]
            # The first chunks are not waited for: one for each reader.
            self.assertGreater(row["s"], (done / allowed) * 0.4, row)
            self.assertLess(row["s"], (done / allowed) * 3 + 10, row)

    def test_waits_while_the_slot_is_near_its_limit(self):
        stage = self.stage(settings={"max_slot_wal_keep_size": "128MB", "max_wal_size": "4GB"})
        self.rows(stage, "t", 8000)
        stage.shop.run("CREATE TABLE elsewhere (n integer)")
        slow = stage.shop.connect(autocommit=False)
        slow.cursor().execute("INSERT INTO elsewhere VALUES (1)")  # holds the slot's WAL
        stage.shop.run("SELECT count(pg_logical_emit_message(false, 'test', repeat('x', 1000000))) "
                       "FROM generate_series(1, 115)")
        stage.subscribe("file", ["public.t"], **SMALL)
        stage.tables = ["public.t"]
        row = wait_until("the copy waits", lambda: stage.shop.row(
            "SELECT * FROM fanout.backfills WHERE detail LIKE '%%max_slot_wal_keep_size%%'"))
        self.assertEqual(row["state"], "waiting")
        time.sleep(2.5)
        self.assertEqual(self.copies(stage, "file")[0][3], 0)
        slow.commit()
        slow.close()

        def goes_on():
            stage.shop.run("SELECT pg_switch_wal()")
            stage.shop.run("CHECKPOINT")
            return self.is_copied(stage, "file")
        wait_until("the copy has gone on", goes_on, pause=0.5)
        stage.compare("file")

    def test_tables_of_every_build(self):
        """Inheritance, partitions, generated columns, quoted names, keys that are not the first
        column, an identity that is not the primary key."""
        stage = self.stage()
        stage.shop.run(BUILDS)
        stage.tables = ['"Back Office"."Odd ""Name"""', "public.parent", "public.child",
                        "public.made", "public.part_north", "public.part_rest", "public.named"]
        chance = random.Random(seed())

        def step(cursor):
            i = chance.randrange(1, 3000)
            cursor.execute("UPDATE parent SET note = note || '+' WHERE id = %s", (i,))
            cursor.execute("UPDATE made SET a = a + 1 WHERE id = %s", (i,))
            cursor.execute("UPDATE part SET n = n + 1, region = CASE region WHEN 'north' THEN 'r1' "
                           "ELSE 'north' END WHERE id = %s", (i,))
            cursor.execute("UPDATE named SET code = code + 5000 WHERE a = %s AND code < 5000", (i,))
            cursor.execute("UPDATE \"Back Office\".\"Odd \"\"Name\"\"\" SET \"Ünïcode\" = 'x' "
                           "WHERE \"select\" = %s", (i % 100,))
        writer = Writer(stage.shop, step)
        writer.start()
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, ["public.*", '"Back Office".*'], **SMALL)
        for kind in ("postgres", "sqlite", "file"):
            self.finished(stage, kind)
        writer.finish()
        stage.compare()

    def test_what_is_there_already_is_refused(self):
        stage = self.stage()
        self.rows(stage, "t", 10)
        stage.copy.run("CREATE TABLE t (id integer PRIMARY KEY, n integer, note text)")
        stage.copy.run("INSERT INTO t VALUES (77, 0, 'mine')")
        stage.subscribe("postgres", **SMALL)
        row = stage.wait_state("postgres", "failed")
        self.assertIn("has rows already", row["last_error"])
        self.assertEqual(stage.copy.value("SELECT count(*) FROM t"), 1)

    def test_rows_that_cannot_be_read(self):
        """A predicate that fails at one row: that copy says so, and nothing else is held up by it."""
        stage = self.stage()
        for table in ("bad", "good"):
            self.rows(stage, table, 3000)
        stage.subscribe("postgres", **SMALL)
        self.finished(stage, "postgres")

        def state_of(table):
            return stage.shop.row("SELECT * FROM fanout.backfills WHERE table_name = %s", (table,))

        def fails(predicate="1000 / (n - 1500) <> 0"):
            stage.shop.run("SELECT fanout.resync('postgres', '{public.bad}', %s)", (predicate,))
            wait_until("it has failed", lambda: state_of("bad")["state"] == "failed")
        fails()
        row = state_of("bad")
        self.assertIn("division by zero", row["last_error"])
        for statement in ("SELECT fanout.resync('postgres', '{public.bad}', '...')",
                          "SELECT fanout.cancel_backfill('postgres', '{public.bad}');"):
            self.assertIn(statement, row["last_error_hint"])
        check = stage.shop.row("SELECT * FROM fanout.check() WHERE item LIKE '%%public.bad%%'")
        self.assertEqual(check["state"], "error")
        self.assertIn("division by zero", check["detail"])
        self.assertEqual(check["remedy"], row["last_error_hint"])
        with self.assertRaisesRegex(psycopg2.Error, "backfill of public.bad .* fails"):
            stage.shop.run("SELECT fanout.wait_for('postgres')")
        # Others go on: changes, and the copy of another table.
        stage.shop.run("SELECT fanout.resync('postgres', '{public.good}')")
        wait_until("another table is copied", lambda: state_of("good")["state"] == "complete")
        self.assertEqual(state_of("bad")["state"], "failed")
        stage.shop.run("UPDATE bad SET note = 'new' WHERE id IN (1, 1500, 3000)")
        self.assertTrue(stage.shop.value("SELECT fanout.wait_for('postgres', backfill => false)"))
        # The cause is mended: it goes on by itself; or somebody resyncs or gives it up.
        stage.shop.run("DELETE FROM bad WHERE n = 1500")
        self.finished(stage, "postgres")
        self.assertIsNone(state_of("bad")["last_error"])
        stage.compare("postgres")
        stage.shop.run("INSERT INTO bad VALUES (1500, 1500, '')")
        fails()
        stage.shop.run("SELECT fanout.resync('postgres', '{public.bad}', 'n > 0')")
        self.finished(stage, "postgres")
        fails("1 / (n - 1) <> 0")
        stage.shop.run("SELECT fanout.cancel_backfill('postgres', '{public.bad}')")
        self.assertEqual(state_of("bad")["state"], "cancelled")
        stage.wait_for("postgres")
        stage.compare("postgres")

    def test_over_what_is_there(self):
        """on_nonempty upsert, and a resync of some rows: written over, nothing is removed."""
        stage = self.stage()
        self.hot(stage, 2000)
        stage.copy.run("CREATE TABLE hot (id integer PRIMARY KEY, n integer, wide text)")
        stage.copy.run("INSERT INTO hot SELECT i, -1, 'old' FROM generate_series(1, 2000, 3) i")
        writers = self.hot_writers(stage, 2200, 2)
        stage.subscribe("postgres", **SMALL, on_nonempty="upsert")
        self.finished(stage, "postgres")
        # What was deleted before its chunk was read stays: nobody has told that it is gone.
        stage.shop.run("SELECT fanout.resync('postgres', '{public.hot}', 'n >= 0')")
        self.finished(stage, "postgres")
        for writer in writers:
            writer.finish()
        stage.wait_for("postgres")
        stage.copy.run("DELETE FROM hot WHERE n = -1")
        stage.compare("postgres")
        self.assertEqual({row[2] for row in self.copies(stage, "postgres")}, {"lenient"})

    def test_rows_of_others_are_replaced(self):
        """What the target had besides is in nobody's way, also after the copy and a restart."""
        stage = self.stage()
        self.hot(stage, 20)
        stage.copy.run("CREATE TABLE hot (id integer PRIMARY KEY, n integer, wide text)")
        stage.copy.run("INSERT INTO hot SELECT i, -1, 'old' FROM generate_series(15, 40) i")
        stage.subscribe("postgres", **SMALL, on_nonempty="upsert")
        self.finished(stage, "postgres")
        stage.daemon.kill()
        stage.daemon.start()
        stage.shop.run("INSERT INTO hot VALUES (21, 1, 'new'), (50, 2, 'new')")
        stage.shop.run("UPDATE hot SET id = 22 WHERE id = 3")  # wide is not in the WAL
        stage.shop.run("UPDATE hot SET id = 23, wide = 'new' WHERE id = 4")
        stage.shop.run("UPDATE hot SET id = 24 WHERE id = 50")
        stage.shop.run("UPDATE hot SET n = 3 WHERE id = 22")
        stage.wait_for("postgres")
        stage.copy.run("DELETE FROM hot WHERE n = -1")
        stage.compare("postgres")

    def test_rows_of_others_with_a_toasted_key(self):
        """A part of the key that is not in the WAL is the old row's."""
        stage = self.stage()
        shape = ("(a integer, b text COLLATE \"C\", n integer, wide text, PRIMARY KEY (a, b))")
        for database in (stage.shop, stage.copy):
            database.run(f"CREATE TABLE t {shape}")
            database.run("ALTER TABLE t ALTER b SET STORAGE EXTERNAL, ALTER wide SET STORAGE EXTERNAL")
        row = "repeat('k', 2300), {}, repeat('w', 3000)"
        stage.shop.run(f"INSERT INTO t SELECT i, {row.format('i')} FROM generate_series(1, 20) i")
        stage.shop.run("ALTER TABLE t REPLICA IDENTITY FULL")
        stage.copy.run(f"INSERT INTO t SELECT i, {row.format('-1')} FROM generate_series(15, 40) i")
        stage.tables.append("public.t")
        stage.subscribe("postgres", **SMALL, on_nonempty="upsert")
        self.finished(stage, "postgres")
        stage.shop.run("UPDATE t SET n = 100 WHERE a = 5")
        stage.shop.run("UPDATE t SET a = 30 WHERE a = 3")
        stage.wait_for("postgres")
        stage.copy.run("DELETE FROM t WHERE n = -1")
        stage.compare("postgres")

    def test_transactions_in_parts(self):
        stage = self.stage(start=False)
        stage.daemon.options = ["--batch-rows-max", "300"]
        stage.daemon.start()
        self.hot(stage, 2000)
        chance = random.Random(seed())

        def step(cursor):
            first = chance.randrange(2000)
            cursor.execute("UPDATE hot SET n = n + 1 WHERE id BETWEEN %s AND %s",
                           (first, first + 400))
            cursor.execute("DELETE FROM hot WHERE id = %s", (chance.randrange(2000),))
            time.sleep(0.2)
        writer = Writer(stage.shop, step, per_transaction=1)
        writer.start()
        kinds = ("postgres", "sqlite", "file")
        for kind in kinds:
            stage.subscribe(kind, **SMALL)
        for kind in kinds:
            self.finished(stage, kind)
        writer.finish()
        stage.compare(*kinds)

    def test_one_worker_and_tables_of_both_modes(self):
        """A chunk that the stream waits for does not wait for the only worker, which may be waiting
        for the lane with rows of a table without a key."""
        stage = self.stage()
        self.rows(stage, "log", 20_000, "n integer, note text", "i, repeat('x', 200)")
        self.hot(stage, 3000)
        writers = self.hot_writers(stage, 3000, 3)
        stage.subscribe("file", **{**SMALL, "workers": 1})
        self.finished(stage, "file", 90)
        for _ in range(3):
            stage.shop.run("SELECT fanout.resync('file')")
            self.finished(stage, "file", 90)
        for writer in writers:
            writer.finish()
        stage.compare("file")

    def test_large_values(self):
        """The memory is that of a few rows, whatever a table has."""
        stage = self.stage()
        self.rows(stage, "wide", 24, "id integer PRIMARY KEY, v bytea",
                  "i, decode(repeat(md5(i::text), 10 * 1024 * 1024 / 32), 'escape')")
        self.rows(stage, "single", 1, "id integer PRIMARY KEY, v text",
                  "i, repeat('many ', 40 * 1024 * 1024)")
        for table in ("wide", "single"):
            stage.subscribe("postgres", [f"public.{table}"], name=table, backfill=True, workers=2)
            peak = Peak(stage.daemon.process.pid)
            self.finished(stage, table, 200)
            print(f"{table}: at most {peak.finish():.0f} MiB of private memory")
            values = f"SELECT id, length(v), md5(v) FROM {table} ORDER BY id"
            self.assertEqual(stage.shop.run(values), stage.copy.run(values))
            self.assertLess(peak.most, 350 if table == "wide" else 1400)

    def test_a_table_that_is_dropped(self):
        stage = self.stage()
        self.rows(stage, "stays", 3000)
        self.rows(stage, "goes", 9000)
        stage.subscribe("postgres", **SMALL, rows_per_second=3000)
        wait_until("it is being copied", lambda: any(
            row[0] == "goes" and row[3] for row in self.copies(stage, "postgres")))
        stage.shop.run("DROP TABLE goes")
        stage.tables.remove("public.goes")
        self.finished(stage, "postgres")
        stage.compare("postgres")

    def test_a_missing_row_is_an_error_again(self):
        """Updates that find no row are normal where rows are yet to come, and nowhere else."""
        stage = self.stage()
        self.rows(stage, "t", 3000)
        stage.subscribe("postgres", **SMALL)
        self.finished(stage, "postgres")
        stage.wait_for("postgres")
        stage.copy.run("DELETE FROM t WHERE id = 1500")
        stage.shop.run("UPDATE t SET n = 0 WHERE id = 1500")
        self.assertIn("1500", stage.wait_state("postgres", "failed")["last_error"])


main()
