"""Rows and columns chosen at the source: one decoding, several subscriptions, each its own part."""
import random

from fanout_test.case import Case, main, seed
from fanout_test.processes import wait_until

import json


def entry(table, where=None, columns=None):
    made = {"table": table}
    if where:
        made["where"] = where
    if columns:
        made["columns"] = columns
    return json.dumps(made)


class Filters(Case):
    def rows(self, database, table, columns, where="true"):
        return sorted(database.run(f"SELECT {columns} FROM {table} WHERE {where}"))

    def counts(self, stage, name):
        row = stage.status(name)
        return row["rows_read"], row["rows_delivered"], row["rows_filtered"], row["rows_dead_lettered"]

    def subscribe_parts(self, stage):
        """Four subscriptions of one table, each with a database of its own at the target."""
        parts = {"whole": None, "low": ("v < 50", None), "high": ("v >= 50", None),
                 "thin": ("v < 80", ["id", "v"])}
        for name, part in parts.items():
            copy = stage.target.create_database(name)
            self.copies[name] = copy
            tables = ["public.t", "public.other"] if part is None else [entry("public.t", *part)]
            stage.subscribe("postgres", tables, name=name, target_options={"dsn": copy.dsn()})

    def test_every_subscription_gets_exactly_its_rows(self):
        chosen = random.Random(seed())
        stage = self.stage()
        self.copies = {}
        run = stage.shop.run
        run("CREATE TABLE t (id integer PRIMARY KEY, v integer, note text)")
        run("ALTER TABLE t REPLICA IDENTITY FULL, ALTER COLUMN note SET STORAGE EXTERNAL")
        run("CREATE TABLE other (id integer PRIMARY KEY)")
        self.subscribe_parts(stage)
        changes = 0
        for _ in range(60):
            connection = stage.shop.connect(autocommit=False)
            with connection, connection.cursor() as cursor:
                for _ in range(chosen.randint(1, 12)):
                    one, two = chosen.randint(1, 40), chosen.randint(0, 100)
                    value = None if two > 95 else two
                    cursor.execute(chosen.choice((
                        "INSERT INTO t VALUES (%(a)s, %(b)s, repeat('n', 3000)) ON CONFLICT (id) DO UPDATE SET v = %(b)s",
                        "UPDATE t SET v = %(b)s WHERE id %% 7 = %(a)s %% 7",
                        "UPDATE t SET id = id + 100, v = %(b)s WHERE id = %(a)s AND NOT EXISTS "
                        "(SELECT FROM t WHERE id = %(a)s + 100)",
                        "DELETE FROM t WHERE id = %(a)s")), {"a": one, "b": value})
                    changes += cursor.rowcount
                cursor.execute("SAVEPOINT s")
                cursor.execute("UPDATE t SET v = 10")
                cursor.execute("ROLLBACK TO s")
            connection.close()
        stage.wait_for(*self.copies)
        for name, columns, where in (("whole", "id, v, note", "true"), ("low", "id, v, note", "v < 50"),
                                     ("high", "id, v, note", "v >= 50"), ("thin", "id, v", "v < 80")):
            self.assertEqual(self.rows(stage.shop, "t", columns, where),
                             self.rows(self.copies[name], "t", columns), name)
        self.assertEqual([c for (c,) in self.copies["thin"].run(
            "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum")],
            ["id", "v"])
        for name in self.copies:
            wait_until(lambda n=name: f"counters of {n}: {self.counts(stage, n)}",
                       lambda n=name: self.counts(stage, n)[0] == changes)
            read, delivered, filtered, dead = self.counts(stage, name)
            self.assertEqual(read, delivered + filtered + dead, name)
            self.assertEqual(filtered == 0, name == "whole", name)
        for copy in self.copies.values():
            copy.close()

    def test_counts_and_rows_hold_over_restarts(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("postgres", [entry("public.t", "id % 3 = 0")])
        stage.subscribe("file", [entry("public.t", "id % 2 = 0")])
        for start in (1, 101, 201):
            for one in range(start, start + 100):
                stage.shop.run(f"INSERT INTO t VALUES ({one})")
            stage.wait_for("postgres", "file")
            stage.daemon.stop()
            stage.daemon.start()
        stage.shop.run("INSERT INTO t VALUES (600)")
        stage.wait_for("postgres", "file")
        self.assertEqual(stage.copy.value("SELECT count(*) FROM t WHERE id % 3 = 0"), 101)
        self.assertEqual(stage.copy.value("SELECT count(*) FROM t"), 101)
        for name, delivered in (("postgres", 101), ("file", 151)):
            wait_until(lambda n=name: f"{n}: {self.counts(stage, n)}",
                       lambda n=name, d=delivered: self.counts(stage, n) == (301, d, 301 - d, 0))

    def test_a_row_that_cannot_be_judged_stops_its_lane_only(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("postgres", [entry("public.t", "100 / (id - 5) > 0")])
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (6)")
        stage.shop.run("INSERT INTO t VALUES (5), (7), (1)")
        stage.shop.run("INSERT INTO t VALUES (8)")
        stage.wait_for("file")
        row = stage.wait_state("postgres", "failed")
        self.assertIn("for the row (id)=(5): division by zero", row["last_error"])
        self.assertEqual(stage.copy.run("SELECT id FROM t"), [(6,)])
        stage.shop.run("SELECT fanout.skip('postgres')")
        stage.wait_for("postgres")
        self.assertEqual(stage.copy.run("SELECT id FROM t ORDER BY 1"), [(6,), (7,), (8,)])

    def test_a_table_that_no_longer_fits_is_refused_by_name(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE t (id integer PRIMARY KEY, tenant integer, v text)")
        run("ALTER TABLE t REPLICA IDENTITY FULL")
        stage.subscribe("postgres", [entry("public.t", "tenant = 1")])
        stage.subscribe("file", ["public.t"])
        run("INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')")
        run("ALTER TABLE t RENAME COLUMN tenant TO client")
        run("INSERT INTO t VALUES (3, 1, 'c')")
        row = stage.wait_state("postgres", "failed")
        self.assertIn('column "tenant" does not exist', row["last_error"])
        stage.wait_for("file")
        run("ALTER TABLE t RENAME COLUMN client TO tenant")
        stage.shop.run("SELECT fanout.skip('postgres')")
        run("INSERT INTO t VALUES (4, 1, 'd'), (5, 2, 'e')")
        stage.wait_for("postgres")
        self.assertEqual(stage.copy.run("SELECT id FROM t ORDER BY 1"), [(1,), (4,)])

    def test_what_is_borrowed_from_a_publication(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v text, secret text)")
        stage.shop.run("CREATE PUBLICATION p FOR TABLE t (id, v) WHERE (id > 10)")
        stage.subscribe("postgres", stage.shop.value("SELECT fanout.publication_tables('p')"))
        stage.shop.run("INSERT INTO t VALUES (1, 'a', 's'), (11, 'b', 's')")
        stage.shop.run("UPDATE t SET id = id + 20")
        stage.wait_for("postgres")
        self.assertEqual(stage.copy.run("SELECT * FROM t ORDER BY 1"), [(21, "a"), (31, "b")])


main()
