"""Tables of every shape and transactions of every kind: the targets have exactly what the source has."""
import os
import random
import sqlite3

from fanout_test.case import Case, main, seed
from fanout_test.processes import wait_until
from fanout_test.replay import Replay

KINDS = ("postgres", "sqlite", "file")
COPY_ROWS = int(os.environ.get("FANOUT_TEST_COPY_ROWS", 200_000))


class Shapes(Case):
    def wait_copied(self, stage):
        wait_until(lambda: f"copies: {stage.shop.run('SELECT * FROM fanout.backfills')}",
                   lambda: not stage.shop.run("SELECT 1 FROM fanout.backfills WHERE state <> 'complete'"))

    def sqlite(self, stage, query):
        database = sqlite3.connect(stage.sqlite_path)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()

    def same(self, stage, table, columns="*"):
        """postgres and sqlite by rows, the file by how many; returns the rows."""
        query = f"SELECT {columns} FROM {table}"
        rows = sorted(stage.shop.run(query), key=str)
        self.assertEqual(rows, sorted(stage.copy.run(query), key=str), f"{table} at postgres")
        self.assertEqual(rows, sorted(self.sqlite(stage, query), key=str), f"{table} at sqlite")
        return rows

    def test_widest_and_narrowest(self):
        stage = self.stage()
        run = stage.shop.run
        names = [f"c{i}" for i in range(1, 1601)]
        run(f"CREATE TABLE wide ({', '.join(name + ' integer' for name in names)}, PRIMARY KEY (c1))")
        run("CREATE TABLE none ()")
        run("ALTER TABLE none REPLICA IDENTITY FULL")
        values = ", ".join(f"g + {i}" for i in range(1600))
        run(f"INSERT INTO wide SELECT {values} FROM generate_series(1, 50) AS g")
        run("INSERT INTO none DEFAULT VALUES")
        for kind in KINDS:
            stage.subscribe(kind, ["public.wide"], backfill=True)
        stage.subscribe("file", ["public.none"], name="none",
                        target_options={"path": stage.file_path + ".none", "format": "json"})
        run(f"INSERT INTO wide SELECT {values} FROM generate_series(51, 60) AS g")
        run("UPDATE wide SET c1600 = NULL, c2 = -1 WHERE c1 % 3 = 0")
        run("UPDATE wide SET c1 = c1 + 1000 WHERE c1 % 7 = 0")
        run("DELETE FROM wide WHERE c1 % 5 = 0")
        run("INSERT INTO none DEFAULT VALUES")
        run("INSERT INTO none DEFAULT VALUES")
        self.wait_copied(stage)
        stage.wait_for(*KINDS, "none")
        rows = self.same(stage, "wide")
        replay = Replay(stage.file_path).table("public", "wide")
        self.assertEqual(rows, sorted((tuple(row.values()) for row in replay.values()), key=str))
        # no column says which row is meant: rows are only counted
        with open(stage.file_path + ".none", encoding="utf-8") as file:
            self.assertEqual(sum('"after":{}' in line for line in file), 2)

    def test_rows_without_columns_are_counted(self):
        """At postgres, too: inserts of one row and of many, deletes under full identity, TRUNCATE."""
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE none ()")
        run("CREATE TABLE whole ()")
        run("ALTER TABLE whole REPLICA IDENTITY FULL")
        stage.copy.run("CREATE TABLE computed (n integer GENERATED ALWAYS AS (7) STORED)")
        run("CREATE TABLE computed (n integer GENERATED ALWAYS AS (7) STORED)")
        tables = ("none", "whole", "computed")
        stage.subscribe("postgres", ["public.*"])

        def same(counts):
            stage.wait_for("postgres")
            for database in (stage.shop, stage.copy):
                self.assertEqual([database.value(f"SELECT count(*) FROM {t}") for t in tables], counts)

        for table in tables:
            run(f"INSERT INTO {table} DEFAULT VALUES")
            for rows in (7, 5000):
                run(f"INSERT INTO {table} SELECT FROM generate_series(1, {rows})")
        same([5008, 5008, 5008])
        run("DELETE FROM whole WHERE ctid IN (SELECT ctid FROM whole LIMIT 1900)")
        run("DELETE FROM whole WHERE ctid IN (SELECT ctid FROM whole LIMIT 1)")
        same([5008, 3107, 5008])
        run("TRUNCATE none")
        run("INSERT INTO none DEFAULT VALUES")
        same([1, 3107, 5008])
        self.assertEqual(stage.copy.value("SELECT sum(n) FROM computed"), 7 * 5008)

    def test_rows_without_columns_are_copied(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE none ()")
        run("INSERT INTO none SELECT FROM generate_series(1, 3000)")
        for kind in ("postgres", "file"):
            stage.subscribe(kind, ["public.*"], backfill=True)
            run("INSERT INTO none SELECT FROM generate_series(1, 10)")
        self.wait_copied(stage)
        run("INSERT INTO none DEFAULT VALUES")
        stage.wait_for("postgres", "file")
        self.assertEqual(stage.copy.value("SELECT count(*) FROM none"), 3021)
        with open(stage.file_path, encoding="utf-8") as file:
            self.assertEqual(sum('"after":{}' in line for line in file), 3021)

    def test_sqlite_refuses_rows_without_columns_by_name(self):
        """And nothing else of theirs: the table is there as soon as it has a column."""
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE none ()")
        stage.subscribe("sqlite", ["public.*"], on_reject="park")
        run("TRUNCATE none")
        run("INSERT INTO none DEFAULT VALUES")
        run("ALTER TABLE none ADD id integer PRIMARY KEY DEFAULT 1")
        run("INSERT INTO none VALUES (2)")
        stage.wait_for("sqlite")
        self.assertEqual(self.sqlite(stage, "SELECT id FROM none"), [(2,)])
        [(error,)] = run("SELECT error FROM fanout.dead_letters")
        self.assertIn("SQLite has no tables without columns", error)

    def test_columns_that_went_came_and_are_computed(self):
        stage = self.stage()
        run = stage.shop.run
        run("""CREATE TABLE t (gone text, id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, dropped bytea, v integer,
            twice integer GENERATED ALWAYS AS (v * 2) STORED, n integer GENERATED BY DEFAULT AS IDENTITY)""")
        run("ALTER TABLE t DROP COLUMN gone")
        run("INSERT INTO t (v) SELECT g FROM generate_series(1, 20) AS g")
        run("ALTER TABLE t DROP COLUMN dropped, ADD COLUMN fast integer DEFAULT 42, ADD COLUMN word text DEFAULT 'w'")
        for kind in KINDS:
            stage.subscribe(kind, ["public.t"], backfill=True)
        run("INSERT INTO t (v) SELECT g FROM generate_series(21, 40) AS g")
        self.wait_copied(stage)
        # rows written before a column was there have its default only in the catalog
        run("UPDATE t SET v = v + 100 WHERE id % 2 = 0")
        run("UPDATE t SET fast = NULL WHERE id % 5 = 0")
        run("DELETE FROM t WHERE id % 9 = 0")
        run("INSERT INTO t (id, v) OVERRIDING SYSTEM VALUE VALUES (1000, 1)")
        stage.wait_for(*KINDS)
        rows = self.same(stage, "t")
        replay = Replay(stage.file_path).table("public", "t")
        self.assertEqual(rows, sorted((tuple(row.values()) for row in replay.values()), key=str))
        self.assertEqual({row[4] for row in rows}, {42, None})

    def test_without_a_primary_key(self):
        """Which rule is in force is shown, and each does what it says."""
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE whole (a integer, v text)")
        run("ALTER TABLE whole REPLICA IDENTITY FULL")
        run("CREATE TABLE by_index (a integer NOT NULL, v text)")
        run("CREATE UNIQUE INDEX by_index_a ON by_index (a)")
        run("ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a")
        run("CREATE TABLE inserts (a integer, v text)")
        for table in ("whole", "by_index"):
            run(f"INSERT INTO {table} SELECT g, 'before' FROM generate_series(1, 10) AS g")
        run("INSERT INTO whole SELECT * FROM whole")
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["public.*"], backfill=True)
        shown = dict(run("SELECT table_name, identity FROM fanout.subscription_tables WHERE subscription = 'sqlite'"))
        self.assertEqual(shown, {"whole": "full", "by_index": "index by_index_a", "inserts": "none"})
        self.wait_copied(stage)
        for table in ("whole", "by_index"):
            run(f"INSERT INTO {table} SELECT g, NULL FROM generate_series(11, 20) AS g")
            run(f"UPDATE {table} SET v = 'changed' WHERE a % 4 = 0")
            run(f"UPDATE {table} SET a = a + 100 WHERE a % 6 = 0")
            run(f"DELETE FROM {table} WHERE a % 5 = 0")
        run("DELETE FROM whole WHERE ctid = (SELECT min(ctid) FROM whole WHERE a = 1)")
        run("INSERT INTO inserts VALUES (1, 'x'), (1, 'x')")
        stage.wait_for("postgres", "sqlite")
        self.assertEqual(len([r for r in self.same(stage, "whole") if r[0] == 1]), 1)
        self.same(stage, "by_index")
        self.assertEqual(len(self.same(stage, "inserts")), 2)
        self.assertIn(("table public.inserts", "warning"), run("SELECT item, state FROM fanout.check()"))

    def test_an_update_that_names_no_row_is_parked(self):
        """It stops nobody who has said so, and what comes behind it arrives."""
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE inserts (a integer, v text)")
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["public.*"], on_reject="park")
        run("INSERT INTO inserts VALUES (1, 'x')")
        run("UPDATE inserts SET v = 'y'")
        run("INSERT INTO inserts VALUES (2, 'x')")
        stage.wait_for("postgres", "sqlite")
        for rows in (stage.copy.run("SELECT * FROM inserts"), self.sqlite(stage, "SELECT * FROM inserts")):
            self.assertEqual(sorted(rows), [(1, "x"), (2, "x")])
        self.assertEqual(run("SELECT subscription, operation FROM fanout.dead_letters ORDER BY 1"),
                         [("postgres", "update"), ("sqlite", "update")])

    def test_unlogged_becomes_logged_and_back(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE other (id integer PRIMARY KEY)")
        run("CREATE UNLOGGED TABLE t (id integer PRIMARY KEY)")
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["public.*"], backfill=True)
        run("INSERT INTO t VALUES (1)")
        self.assertIn("unlogged table public.t", [i for (i,) in run("SELECT item FROM fanout.check()")])
        run("ALTER TABLE t SET LOGGED")
        run("INSERT INTO t VALUES (2)")
        stage.wait_for("postgres", "sqlite")
        self.wait_copied(stage)
        self.assertEqual(self.same(stage, "t"), [(1,), (2,)])
        run("ALTER TABLE t SET UNLOGGED")
        run("INSERT INTO t VALUES (3)")
        run("INSERT INTO other VALUES (1)")
        stage.wait_for("postgres", "sqlite")
        self.assertEqual(stage.copy.value("SELECT count(*) FROM t"), 2)

    def test_ten_thousand_savepoints(self):
        chosen = random.Random(seed())
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, n integer)")
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["public.t"])
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE choices AS SELECT g AS id, (g * %s + %s) %% 100 < 40 AS undone "
                           "FROM generate_series(1, 10000) AS g", (chosen.randrange(1, 100, 2), chosen.randrange(100)))
            cursor.execute("""DO $$
                DECLARE c choices;
                BEGIN
                    FOR c IN SELECT * FROM choices ORDER BY id LOOP
                        BEGIN
                            INSERT INTO t VALUES (c.id, 0);
                            UPDATE t SET n = n + 1 WHERE id = c.id / 2;
                            BEGIN
                                DELETE FROM t WHERE id = c.id - 3;
                                IF c.id % 3 <> 0 THEN RAISE EXCEPTION 'inner'; END IF;
                            EXCEPTION WHEN raise_exception THEN NULL;
                            END;
                            IF c.undone THEN RAISE EXCEPTION 'undone'; END IF;
                        EXCEPTION WHEN raise_exception THEN NULL;
                        END;
                    END LOOP;
                END $$""")
        connection.close()
        stage.wait_for("postgres", "sqlite")
        self.assertGreater(len(self.same(stage, "t")), 3000)

    def test_prepared_transactions_come_once_at_commit(self):
        stage = self.stage(settings={"max_prepared_transactions": "5"})
        run = stage.shop.run
        run("CREATE TABLE t (id integer PRIMARY KEY)")
        for kind in KINDS:
            stage.subscribe(kind, ["public.t"])
        for name, first in (("kept", 1), ("undone", 11)):
            connection = stage.shop.connect(autocommit=False)
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO t SELECT g FROM generate_series(%s, %s) AS g", (first, first + 4))
                cursor.execute(f"PREPARE TRANSACTION '{name}'")
            connection.close()
        run("INSERT INTO t VALUES (100)")
        stage.wait_for(*KINDS)
        self.assertEqual(stage.copy.run("SELECT id FROM t"), [(100,)])
        stage.daemon.stop()
        stage.shop.close()
        stage.source.restart()
        stage.daemon.start()
        run("COMMIT PREPARED 'kept'")
        run("ROLLBACK PREPARED 'undone'")
        stage.wait_for(*KINDS)
        self.assertEqual(len(self.same(stage, "t")), 6)
        replay = Replay(stage.file_path)
        self.assertEqual((replay.transactions, replay.rows), (2, 6))

    def test_one_large_copy(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v text)")
        for kind in KINDS:
            stage.subscribe(kind, ["public.t"])
        stage.shop.run(f"COPY t FROM PROGRAM 'seq -f \"%.0f\tvalue\" {COPY_ROWS}'")
        stage.shop.run("UPDATE t SET v = 'changed' WHERE id % 1000 = 0")
        stage.wait_for(*KINDS, seconds=240)
        query = "SELECT count(*), sum(id), count(*) FILTER (WHERE v = 'changed') FROM t"
        expected = stage.shop.run(query)
        self.assertEqual(expected[0][0], COPY_ROWS)
        self.assertEqual(expected, stage.copy.run(query))
        self.assertEqual(expected, self.sqlite(stage, query))
        replay = Replay(stage.file_path)
        self.assertEqual(len(replay.table("public", "t")), COPY_ROWS)
        self.assertEqual(replay.transactions, 2)


main()
