"""Partitioned tables: leaves under their own names, or with via_root under the root's."""
import json
import random
import sqlite3

import psycopg2

from fanout_test.case import Case, main, seed
from fanout_test.copying import SMALL, Writer
from fanout_test.processes import wait_until
from fanout_test.replay import Replay

TREE = """
CREATE TABLE sales (id integer, region integer, v text, n numeric, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE sales_0 PARTITION OF sales FOR VALUES IN (0);
CREATE TABLE sales_1 (n numeric, gone integer, v text, region integer NOT NULL, id integer NOT NULL);
ALTER TABLE sales_1 DROP COLUMN gone;
ALTER TABLE sales ATTACH PARTITION sales_1 FOR VALUES IN (1);
CREATE TABLE sales_2 PARTITION OF sales FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE sales_2_low PARTITION OF sales_2 FOR VALUES FROM (MINVALUE) TO (500);
CREATE TABLE sales_2_high PARTITION OF sales_2 FOR VALUES FROM (500) TO (MAXVALUE);
"""
VIA_ROOT = ("postgres", "sqlite", "file")


class Partitions(Case):
    def tree(self):
        stage = self.stage()
        for statement in TREE.strip().split(";\n"):
            stage.shop.run(statement.rstrip(";"))
        return stage

    def wait_copied(self, stage):
        wait_until(lambda: f"copies: {stage.shop.run('SELECT * FROM fanout.backfills')}",
                   lambda: stage.shop.value("SELECT bool_and(state = 'complete') FROM fanout.backfills"))

    def rows(self, database, columns="id, region, v, n", table="sales"):
        return sorted(database.run(f"SELECT {columns} FROM {table}"), key=str)

    def sqlite_rows(self, stage, columns="id, region, v, n"):
        database = sqlite3.connect(stage.sqlite_path)
        try:
            return sorted(database.execute(f"SELECT {columns} FROM sales").fetchall(), key=str)
        finally:
            database.close()

    def compare_roots(self, stage):
        stage.wait_for(*VIA_ROOT)
        expected = self.rows(stage.shop)
        self.assertEqual(expected, self.rows(stage.copy))
        texts = self.rows(stage.shop, "id, region, v, n::text")
        self.assertEqual(texts, self.sqlite_rows(stage))
        replayed = Replay(stage.file_path).table("public", "sales").values()
        self.assertEqual([(i, r, v) for i, r, v, _ in expected],
                         sorted(((row["id"], row["region"], row["v"]) for row in replayed), key=str))

    def change(self, chosen, stage):
        connection = stage.shop.connect(autocommit=False)
        try:
            self.change_rows(chosen, connection)
        except psycopg2.errors.UniqueViolation:
            pass  # two rows that moved to one key: the whole transaction is undone
        finally:
            connection.close()

    def change_rows(self, chosen, connection):
        with connection, connection.cursor() as cursor:
            for _ in range(chosen.randint(1, 6)):
                one, region = chosen.randint(1, 999), chosen.randint(0, 2)
                text = "x" * chosen.choice((1, 10, 3000))
                cursor.execute(chosen.choice((
                    "INSERT INTO sales VALUES (%(id)s, %(region)s, %(v)s, %(id)s) ON CONFLICT DO NOTHING",
                    "INSERT INTO sales VALUES (%(id)s, %(region)s, %(v)s, %(id)s) ON CONFLICT DO NOTHING",
                    "UPDATE sales SET v = %(v)s WHERE id %% 7 = %(id)s %% 7",
                    "UPDATE sales s SET region = %(region)s WHERE id %% 11 = %(id)s %% 11 AND region = (%(region)s + 1) %% 3 "
                    "AND NOT EXISTS "
                    "(SELECT FROM sales o WHERE o.id = s.id AND o.region = %(region)s)",
                    "UPDATE sales s SET id = CASE WHEN id < 1000 THEN id + 1000 ELSE id - 1000 END WHERE id %% 13 = "
                    "%(id)s %% 13 AND NOT EXISTS (SELECT FROM sales o WHERE o.region = s.region "
                    "AND o.id = CASE WHEN s.id < 1000 THEN s.id + 1000 ELSE s.id - 1000 END)",
                    "DELETE FROM sales WHERE id %% 17 = %(id)s %% 17")), {"id": one, "region": region, "v": text})

    def test_via_root_under_random_changes(self):
        chosen = random.Random(seed())
        stage = self.tree()
        run = stage.shop.run
        run("ALTER TABLE sales ALTER COLUMN v SET STORAGE EXTERNAL")
        for leaf in ("sales_0", "sales_1", "sales_2_low", "sales_2_high"):
            run(f"ALTER TABLE {leaf} ALTER COLUMN v SET STORAGE EXTERNAL")
        for _ in range(30):
            self.change(chosen, stage)
        for kind in VIA_ROOT:
            stage.subscribe(kind, ["public.sales"], via_root=True, backfill=True)
        for _ in range(40):
            self.change(chosen, stage)
        self.wait_copied(stage)
        self.compare_roots(stage)
        # partitions come and go, without rows
        run("CREATE TABLE sales_3 PARTITION OF sales FOR VALUES IN (3)")
        run("INSERT INTO sales VALUES (1, 3, 'new', 1)")
        run("UPDATE sales SET region = 3 WHERE region = 1 AND id NOT IN (SELECT id FROM sales WHERE region = 3)")
        run("DELETE FROM sales WHERE region = 1")
        run("ALTER TABLE sales DETACH PARTITION sales_1")
        run("INSERT INTO sales_1 (id, region, v) VALUES (5000, 1, 'not of the tree')")
        run("DELETE FROM sales_1")
        run("ALTER TABLE sales ATTACH PARTITION sales_1 FOR VALUES IN (1)")
        run("UPDATE sales SET region = 1 WHERE region = 3 AND id % 2 = 0")
        run("DELETE FROM sales WHERE region = 3")
        run("DROP TABLE sales_3")
        for _ in range(20):
            self.change(chosen, stage)
        self.compare_roots(stage)
        self.assertEqual([t for (t,) in stage.copy.run("SELECT relname FROM pg_class WHERE relname LIKE 'sales%' "
                                                       "AND relkind = 'r'")], ["sales"])
        # the columns of the root may change, and the targets' with them
        run("ALTER TABLE sales ADD COLUMN more integer DEFAULT 7")
        for _ in range(10):
            self.change(chosen, stage)
        self.compare_roots(stage)
        self.assertEqual(self.rows(stage.shop, "id, region, more"), self.rows(stage.copy, "id, region, more"))

    def test_rows_move_while_they_are_copied(self):
        stage = self.tree()
        run = stage.shop.run
        for leaf in ("sales", "sales_0", "sales_1", "sales_2_low", "sales_2_high"):
            run(f"ALTER TABLE {leaf} ALTER COLUMN v SET STORAGE EXTERNAL")
        run("INSERT INTO sales SELECT i, i % 3, repeat(md5(i::text), 100), i FROM generate_series(1, 9000) AS i")
        writers = [Writer(stage.shop, self.mover(random.Random(seed() + i)), 1 + 3 * i) for i in range(3)]
        for writer in writers:
            writer.start()
        for kind in VIA_ROOT:
            stage.subscribe(kind, ["public.sales"], via_root=True, rows_per_second=3000, **SMALL)
        self.wait_copied(stage)
        chunks = run("SELECT min(chunks), max(mode), min(mode) FROM fanout.backfills")
        for writer in writers:
            writer.finish()
        self.assertGreater(chunks[0][0], 5)
        self.assertEqual(chunks[0][1:], ("ordered", "ordered"))
        self.assertGreater(sum(writer.count for writer in writers), 100)
        self.compare_roots(stage)

    @staticmethod
    def mover(chosen):
        """Rows go to other partitions, and to other places of the key, with a TOASTed value that stays."""
        def step(cursor):
            row = {"id": chosen.randint(1, 9500), "other": chosen.randint(1, 9500), "from": chosen.randint(0, 2),
                   "to": chosen.randint(0, 2)}
            cursor.execute(chosen.choice((
                "UPDATE sales SET region = %(to)s WHERE id = %(id)s AND region = %(from)s",
                "UPDATE sales SET region = %(to)s WHERE id = %(id)s AND region = %(from)s",
                "UPDATE sales SET id = %(other)s, region = %(to)s WHERE id = %(id)s AND region = %(from)s",
                "UPDATE sales SET id = %(other)s WHERE id = %(id)s",
                "UPDATE sales SET id = %(other)s WHERE id = %(id)s",
                "UPDATE sales SET n = n + 1 WHERE id = %(id)s",
                "UPDATE sales SET v = repeat(md5(%(other)s::text), 90) WHERE id = %(id)s",
                "DELETE FROM sales WHERE id = %(id)s AND region = %(from)s",
                "INSERT INTO sales VALUES (%(id)s, %(to)s, repeat(md5(%(id)s::text), 80), 0) ON CONFLICT DO NOTHING")),
                row)
        return step

    def moves(self, stage, *kinds):
        """To another partition, there and back, and round in a circle, with large values that stay."""
        run = stage.shop.run
        for leaf in ("sales", "sales_0", "sales_1", "sales_2_low", "sales_2_high"):
            run(f"ALTER TABLE {leaf} ALTER COLUMN v SET STORAGE EXTERNAL")
        run("INSERT INTO sales SELECT i, i % 3, repeat(md5(i::text), 100), i FROM generate_series(1, 60) AS i")
        run("UPDATE sales SET region = (region + 1) % 3 WHERE id % 2 = 0")
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            for statement in ("UPDATE sales SET region = (region + 1) % 3", "UPDATE sales SET n = -n WHERE id % 5 = 0",
                              "UPDATE sales SET region = (region + 2) % 3, n = n + 1 WHERE id % 3 <> 0",
                              "UPDATE sales SET region = (region + 1) % 3 WHERE id % 7 = 0",
                              "DELETE FROM sales WHERE id % 11 = 0"):
                cursor.execute(statement)
        connection.close()
        stage.tables = ["public.sales"]
        stage.compare(*kinds)

    def test_rows_that_move_keep_their_key(self):
        """That of the targets does not have the column by which rows find their partition."""
        stage = self.tree()
        table = "CREATE TABLE sales (id integer PRIMARY KEY, region integer, v text, n {})"
        stage.copy.run(table.format("numeric"))
        database = sqlite3.connect(stage.sqlite_path)
        database.execute(table.format("text"))
        database.close()
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["public.sales"], via_root=True, create_tables=False)
        self.moves(stage, "postgres", "sqlite")

    def test_rows_that_move_without_any_key(self):
        stage = self.tree()
        stage.shop.run("ALTER TABLE sales DROP CONSTRAINT sales_pkey")
        for table in ("sales", "sales_0", "sales_1", "sales_2", "sales_2_low", "sales_2_high"):
            stage.shop.run(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["public.sales"], via_root=True)
        self.moves(stage, "postgres", "sqlite")

    def test_a_parent_names_its_leaves(self):
        chosen = random.Random(seed())
        stage = self.tree()
        stage.subscribe("postgres", ["public.sales"])
        stage.subscribe("file", ["public.sales_2"])
        for _ in range(40):
            self.change(chosen, stage)
        stage.shop.run("CREATE TABLE sales_3 PARTITION OF sales FOR VALUES IN (3)")
        stage.shop.run("INSERT INTO sales VALUES (1, 3, 'new', 1)")
        stage.wait_for("postgres", "file")
        leaves = [t for (t,) in stage.shop.run("SELECT relid::regclass::text FROM pg_partition_tree('sales') WHERE isleaf")]
        self.assertEqual(len(leaves), 5)
        for leaf in leaves:
            self.assertEqual(self.rows(stage.shop, table=leaf), self.rows(stage.copy, table=leaf), leaf)
        self.assertEqual({name for _, name in Replay(stage.file_path).tables}, {"sales_2_low", "sales_2_high"})
        self.assertEqual(stage.shop.run("SELECT table_name FROM fanout.subscription_tables WHERE subscription = 'file' "
                                        "ORDER BY 1"), [("sales_2_high",), ("sales_2_low",)])

    def test_truncate(self):
        stage = self.tree()
        run = stage.shop.run
        stage.subscribe("postgres", ["public.sales"], via_root=True)
        stage.subscribe("file", ["public.sales"])
        run("INSERT INTO sales SELECT i, i % 3, 'v', i FROM generate_series(1, 30) AS i")
        run("TRUNCATE sales")
        run("INSERT INTO sales SELECT i, i % 3, 'v', i FROM generate_series(1, 30) AS i")
        stage.wait_for("postgres", "file")
        self.assertEqual(self.rows(stage.shop), self.rows(stage.copy))
        run("TRUNCATE sales_0")
        run("INSERT INTO sales VALUES (99, 0, 'after', 0)")
        stage.wait_for("file")
        row = stage.wait_state("postgres", "failed")
        self.assertIn("its partition public.sales_0 has been truncated alone", row["last_error"])
        self.assertEqual(len(self.rows(stage.copy)), 30)
        stage.copy.run("DELETE FROM sales WHERE region = 0")
        run("SELECT fanout.skip('postgres')")
        stage.wait_for("postgres")
        self.assertEqual(self.rows(stage.shop), self.rows(stage.copy))
        with open(stage.file_path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["table"] for line in lines if line["op"] == "truncate"][4:], ["sales_0"])
        self.assertEqual(lines[-1]["table"], "sales_0")

    def test_rows_columns_and_masks_of_the_root(self):
        stage = self.tree()
        run = stage.shop.run
        run("INSERT INTO sales SELECT i, i % 3, 'secret ' || i, i FROM generate_series(1, 30) AS i")
        stage.subscribe("postgres", [json.dumps({"table": "public.sales", "where": "id % 2 = 0",
                                                 "columns": ["region", "id", "v"], "masks": {"v": "hash"}})],
                        via_root=True, backfill=True)
        run("INSERT INTO sales SELECT i, i % 3, 'secret ' || i, i FROM generate_series(31, 60) AS i")
        run("UPDATE sales SET region = (region + 1) % 3, v = v || '!' WHERE id % 5 = 0")
        run("UPDATE sales SET id = id + 101 WHERE id % 7 = 0")
        self.wait_copied(stage)
        stage.wait_for("postgres")
        expected = run("SELECT id, region, fanout._mask(v, 'hash', -1, s.secret) FROM sales, fanout.mask_secret s "
                       "WHERE id % 2 = 0")
        self.assertEqual(sorted(expected, key=str), self.rows(stage.copy, "id, region, v"))

    def test_a_leaf_that_does_not_fit_is_refused(self):
        stage = self.tree()
        run = stage.shop.run
        run("ALTER TABLE sales REPLICA IDENTITY FULL")
        self.refused(lambda: stage.subscribe("file", ["public.sales"], via_root=True),
                     "partition public.sales_0 cannot be carried as public.sales",
                     "ALTER TABLE public.sales_0 REPLICA IDENTITY FULL;", sqlstate="22023")
        run("ALTER TABLE sales REPLICA IDENTITY DEFAULT")
        run("SELECT fanout.create_subscription('file', 'file', '{public.sales}', '{\"via_root\": true, \"backfill\": false}')")
        run("ALTER TABLE sales_1 REPLICA IDENTITY NOTHING")
        run("INSERT INTO sales VALUES (1, 0, 'a', 1)")
        stage.wait_for("file")
        run("INSERT INTO sales VALUES (2, 1, 'b', 1)")
        row = stage.wait_state("file", "failed")
        self.assertIn("public.sales_1 cannot be carried: its rows are found by column \"id\"", row["last_error"])
        self.assertIn(("table public.sales_1", "error"),
                      run("SELECT item, state FROM fanout.check()"))
        self.refused(lambda: run("SELECT fanout.alter_subscription('file', '{\"via_root\": false}')"),
                     'option "via_root" cannot be changed', sqlstate="22023")


main()
