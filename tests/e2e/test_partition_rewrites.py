"""ALTER TABLE of a partitioned table writes the rows of every leaf anew: the targets end with exactly those,
whether the leaves arrive under their own names or the root's, also while they are copied.
"""
from fanout_test.case import main
from fanout_test.copying import SMALL, CopyCase
from fanout_test.processes import wait_until

TREE = """
CREATE TABLE sales (id integer, region integer, v text, n numeric, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE sales_0 PARTITION OF sales FOR VALUES IN (0);
CREATE TABLE sales_1 (n numeric, gone integer, v text, region integer NOT NULL, id integer NOT NULL);
ALTER TABLE sales_1 DROP COLUMN gone;
ALTER TABLE sales ATTACH PARTITION sales_1 FOR VALUES IN (1);
CREATE TABLE sales_2 PARTITION OF sales FOR VALUES IN (2, 3) PARTITION BY RANGE (region);
CREATE TABLE sales_2_low PARTITION OF sales_2 FOR VALUES FROM (2) TO (3);
CREATE TABLE sales_2_high PARTITION OF sales_2 FOR VALUES FROM (3) TO (4)
"""
SQL_TARGETS = ("postgres", "sqlite")
ROWS = "INSERT INTO sales SELECT i, i % 4, repeat('x', i % 50), i FROM generate_series({}, {}) AS i"


class PartitionRewrites(CopyCase):
    def tree(self, table="sales"):
        stage = self.stage()
        stage.shop.run(TREE)
        stage.tables = [f"public.{table}"]
        return stage

    def same_columns(self, stage, *kinds):
        stage.compare(*(kinds or SQL_TARGETS))
        self.assertEqual(*(sorted(database.run(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = "
            "%s::regclass AND attnum > 0 AND NOT attisdropped", (stage.tables[0],))) for database in (stage.shop, stage.copy)))

    def begin(self):
        stage = self.tree()
        for kind in SQL_TARGETS:
            stage.subscribe(kind, ["public.sales"], via_root=True)
        stage.shop.run(ROWS.format(1, 900))
        return stage

    def test_via_root(self):
        stage = self.begin()
        stage.shop.run("ALTER TABLE sales ALTER v TYPE integer USING length(v) * id")
        self.same_columns(stage)
        stage.shop.run("ALTER TABLE sales ADD chance float8 DEFAULT random(), ADD place serial, "
                       "ADD twice text GENERATED ALWAYS AS ((id * 2)::text) STORED")
        self.same_columns(stage)

    def test_one_that_only_the_rows_show(self):
        stage = self.begin()
        stage.shop.run("ALTER TABLE sales ALTER n TYPE numeric USING n * 3")
        self.same_columns(stage)

    def test_several_in_one_transaction(self):
        stage = self.begin()
        self.in_one(stage, ROWS.format(901, 950),
                    "ALTER TABLE sales ALTER id TYPE bigint USING id + 10000, ALTER v TYPE text USING 'v' || v",
                    "UPDATE sales SET v = 'changed', region = (region + 1) % 4 WHERE id % 10 = 0",
                    "ALTER TABLE sales ALTER n TYPE numeric USING n + 1",
                    "SAVEPOINT s",
                    "ALTER TABLE sales ALTER n TYPE numeric USING n + 100",
                    "ROLLBACK TO s",
                    "CREATE TABLE sales_4 PARTITION OF sales FOR VALUES IN (4)",
                    "INSERT INTO sales VALUES (1, 4, 'in a new one', 1)",
                    "ALTER TABLE sales RENAME v TO w",
                    "ALTER TABLE sales ALTER n TYPE numeric USING n * 7",
                    "DELETE FROM sales WHERE id % 11 = 0")
        self.same_columns(stage)

    def test_casts_that_fail(self):
        """One that ends the statement midway and is caught, and one that catches its own errors."""
        stage = self.begin()
        stage.shop.run("""
            CREATE FUNCTION careful(v text) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
                RETURN length(v) / (length(v) - 7); EXCEPTION WHEN division_by_zero THEN RETURN -1; END $$""")
        stage.shop.run("""DO $$ BEGIN
                ALTER TABLE sales ALTER n TYPE integer USING 1 / (id - 700);
            EXCEPTION WHEN division_by_zero THEN
                ALTER TABLE sales ALTER v TYPE integer USING careful(v);
            END $$""")
        self.same_columns(stage)

    def test_a_target_that_is_partitioned_itself(self):
        stage = self.tree()
        stage.copy.run(TREE)
        stage.subscribe("postgres", ["public.sales"], via_root=True)
        stage.shop.run(ROWS.format(1, 900))
        stage.shop.run("ALTER TABLE sales ALTER v TYPE integer USING length(v) * id, ADD chance float8 DEFAULT random()")
        stage.wait_for("postgres")  # what follows would be folded into the inserts
        stage.shop.run("UPDATE sales SET region = (region + 1) % 4, n = n + 1 WHERE id % 10 = 0")
        stage.shop.run("UPDATE sales SET n = -n WHERE id % 7 = 0; DELETE FROM sales WHERE id % 11 = 0")
        self.same_columns(stage, "postgres")

    def test_a_level_below_the_root(self):
        stage = self.tree("sales_2")
        for kind in SQL_TARGETS:
            stage.subscribe(kind, ["public.sales_2"], via_root=True)
        stage.shop.run(ROWS.format(1, 900))
        stage.shop.run("ALTER TABLE sales ALTER v TYPE integer USING length(v) * id, ADD chance float8 DEFAULT random()")
        stage.shop.run("UPDATE sales SET region = (region + 1) % 4 WHERE id % 10 = 0")
        self.same_columns(stage)

    def test_a_leaf_that_becomes_logged(self):
        """Nobody can say which of its rows the target has from before it was unlogged."""
        stage = self.tree()
        stage.shop.run("ALTER TABLE sales_1 SET UNLOGGED")
        stage.subscribe("postgres", ["public.sales"], via_root=True)
        stage.shop.run(ROWS.format(1, 900))
        stage.shop.run("ALTER TABLE sales ADD chance float8 DEFAULT random()")
        stage.wait_for("postgres")
        self.assertEqual(stage.copy.run("SELECT region, count(*) FROM sales GROUP BY 1 ORDER BY 1"), [(0, 225), (2, 225), (3, 225)])
        self.in_one(stage, "UPDATE sales SET n = n + 1 WHERE id % 2 = 0 AND region <> 1", "ALTER TABLE sales_1 SET LOGGED",
                    "UPDATE sales SET n = n + 1 WHERE id % 3 = 0")
        row = stage.wait_state("postgres", "failed")
        self.assertIn("its partition public.sales_1 has become logged", row["last_error"])
        for row in stage.shop.run("SELECT id, region, v, n, chance FROM sales_1"):
            stage.copy.run("INSERT INTO sales VALUES (%s, %s, %s, %s, %s)", row)
        stage.shop.run("SELECT fanout.skip('postgres')")
        self.same_columns(stage, "postgres")

    def test_leaves_under_their_own_names(self):
        stage = self.tree()
        for kind in SQL_TARGETS:
            stage.subscribe(kind, ["public.sales"])
        stage.shop.run(ROWS.format(1, 900))
        self.in_one(stage, "UPDATE sales SET v = v || '!'",
                    "ALTER TABLE sales ALTER v TYPE integer USING length(v) * id, ADD chance float8 DEFAULT random()",
                    "UPDATE sales SET region = (region + 1) % 4 WHERE id % 10 = 0")
        stage.tables = [f"public.sales_{leaf}" for leaf in ("0", "1", "2_low", "2_high")]
        self.same_columns(stage)

    def while_copied(self, *statements):
        stage = self.tree()
        stage.shop.run(ROWS.format(1, 4000))
        for kind in SQL_TARGETS:
            stage.subscribe(kind, ["public.sales"], via_root=True, rows_per_second=800, **SMALL)
            wait_until(lambda: f"some of it is copied {self.copies(stage, kind)}",
                       lambda: any(row[4] for row in self.copies(stage, kind)))
            stage.shop.run("SELECT fanout.pause_backfill(%s)", (kind,))
            self.assertFalse(self.is_copied(stage, kind))
        for statement in statements:
            self.in_one(stage, *statement.split("; "))
        for kind in SQL_TARGETS:
            stage.shop.run("SELECT fanout.resume_backfill(%s)", (kind,))
            self.finished(stage, kind)
        self.same_columns(stage)

    def test_while_it_is_copied(self):
        self.while_copied("UPDATE sales SET v = v || '!' WHERE id % 2 = 0; "
                          "ALTER TABLE sales ALTER v TYPE integer USING length(v) * id, ADD chance float8 DEFAULT random(); "
                          "UPDATE sales SET region = (region + 1) % 4 WHERE id % 10 = 0",
                          "UPDATE sales SET n = n + 1 WHERE id % 3 = 0")

    def test_one_that_only_the_rows_show_while_it_is_copied(self):
        self.while_copied("ALTER TABLE sales ALTER n TYPE numeric USING n * 3",
                          "UPDATE sales SET v = v || '!' WHERE id % 2 = 0")


main()
