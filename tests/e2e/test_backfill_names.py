"""What a chunk's statement names is renamed between the look at the table and its rows: no lock of the
table keeps that out, and the name may be another table's by then. The rows are the table's own.
"""
import os

import psycopg2

from fanout_test.case import main
from fanout_test.copying import SMALL, CopyCase
from fanout_test.processes import wait_until

BETWEEN = ("copy.shape_checked", "copy.snapshot_taken")
SWAP = ("ALTER SCHEMA live RENAME TO old", "ALTER SCHEMA next RENAME TO live")


class Names(CopyCase):
    def held(self, point, *, load, hit=1, kind="postgres", patterns=("/(live|old)[.].*/",), **options):
        """A reader stands at the point, in a chunk of the only table there is to copy."""
        stage = self.stage(start=False)
        stage.daemon.env = {"FANOUT_FAULTS": f"{point}:{hit}:hold", "FANOUT_FAULT_DIR": stage.folder}
        stage.daemon.start()
        load(stage)
        stage.subscribe(kind, list(patterns), **{**SMALL, "workers": 1, **options})
        wait_until("a reader stands there", lambda: os.path.exists(f"{stage.folder}/{point}.hit"))
        return stage

    def go_on(self, stage, point):
        with open(f"{stage.folder}/{point}.release", "w", encoding="ascii"):
            pass

    def two_schemas(self, stage, columns="id integer PRIMARY KEY, note text", value="repeat('{}', 50)"):
        for schema, count in (("live", 2000), ("next", 2500)):
            stage.shop.run(f"CREATE SCHEMA {schema}")
            stage.shop.run(f"CREATE TABLE {schema}.t ({columns})")
            stage.shop.run(f"INSERT INTO {schema}.t SELECT i, {value.format(schema)} "
                           f"FROM generate_series(1, {count}) i")

    def swapped(self, stage, point):
        for statement in SWAP:
            stage.shop.run(statement)
        stage.shop.run("SELECT pg_notify('pg_fanout', 'config')")  # there is another table: at once
        self.go_on(stage, point)
        stage.tables = ["old.t", "live.t"]

    def test_schemas_that_exchange_their_names(self):
        for point in BETWEEN:
            with self.subTest(point=point):
                stage = self.held(point, load=self.two_schemas, hit=3)
                self.swapped(stage, point)
                self.same(stage, "postgres")

    def test_of_a_table_without_a_key(self):
        stage = self.held(BETWEEN[1], kind="file", load=lambda stage: self.two_schemas(
            stage, "id integer, note text", "repeat('{} ', 500)"))
        self.swapped(stage, BETWEEN[1])
        self.finished(stage, "file")
        stage.compare("file")

    def test_with_large_values(self):
        """They are read one by one after their rows."""
        def load(stage):
            for schema in ("live", "next"):
                stage.shop.run(f"CREATE SCHEMA {schema}")
                stage.shop.run(f"CREATE TABLE {schema}.t (id integer PRIMARY KEY, note text)")
                stage.shop.run(f"INSERT INTO {schema}.t SELECT i, repeat('{schema}', 1300000) "
                               "FROM generate_series(1, 3) i")
        for point in (*BETWEEN, "copy.row_read"):
            with self.subTest(point=point):
                stage = self.held(point, load=load, hit=2 if point == "copy.row_read" else 1)
                self.swapped(stage, point)
                self.finished(stage, "postgres")
                stage.compare("postgres")

    def moods(self, stage):
        for database in (stage.shop, stage.copy):
            database.run("CREATE TYPE mood AS ENUM ('sad', 'glad')")
        self.rows(stage, "t", 2000, "a mood, b integer, note text, PRIMARY KEY (a, b)",
                  "(ARRAY['sad', 'glad'])[1 + i % 2]::mood, i, repeat('x', 50)")

    def test_a_type_of_the_key(self):
        for point in BETWEEN:
            with self.subTest(point=point):
                stage = self.held(point, load=self.moods, hit=3, patterns=("public.*",))
                # The target's statements are prepared by then: its type has its new name first.
                wait_until("rows are there", lambda: self.copies(stage, "postgres")[0][3] > 0)
                for database in (stage.copy, stage.shop):
                    database.run("ALTER TYPE mood RENAME TO feeling")
                stage.shop.run("CREATE TYPE mood AS ENUM ('sad', 'glad')")
                self.go_on(stage, point)
                self.same(stage, "postgres")

    def test_a_label_of_the_key(self):
        for point in BETWEEN:
            with self.subTest(point=point):
                stage = self.held(point, load=self.moods, hit=3, patterns=("public.*",))
                for database in (stage.copy, stage.shop):
                    database.run("ALTER TYPE mood RENAME VALUE 'sad' TO 'down'")
                self.go_on(stage, point)
                self.same(stage, "postgres")

    def test_a_cast_that_is_made_meanwhile(self):
        """Values are shown by their output function, whatever cast there is to text."""
        for point in BETWEEN:
            with self.subTest(point=point):
                stage = self.held(point, load=self.moods, hit=3, patterns=("public.*",))
                stage.shop.run("CREATE FUNCTION shout(mood) RETURNS text LANGUAGE sql IMMUTABLE AS "
                               "'SELECT ''glad''::text'")
                stage.shop.run("CREATE CAST (mood AS text) WITH FUNCTION shout(mood)")
                self.go_on(stage, point)
                self.same(stage, "postgres")

    def test_the_table_itself_is_kept(self):
        """Its own name and schema are not changed while a chunk is open, and may be between two."""
        for point in BETWEEN:
            with self.subTest(point=point):
                stage = self.held(point, load=self.two_schemas, hit=2)
                stage.shop.run("CREATE SCHEMA old")
                changes = ("ALTER TABLE live.t RENAME TO u", "ALTER TABLE live.u SET SCHEMA old")
                connection = stage.shop.connect()
                connection.cursor().execute("SET lock_timeout = '300ms'")
                with self.assertRaises(psycopg2.errors.LockNotAvailable):
                    connection.cursor().execute(changes[0])
                self.go_on(stage, point)
                for statement in changes:
                    stage.shop.run(statement)
                stage.tables = ["old.u"]
                self.same(stage, "postgres")


main()
