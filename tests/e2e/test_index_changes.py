"""Indexes and comments that come, go and change their names while the stream runs: at their place, for the tables
that the subscription has made, and never at the rows' expense.
"""
import json

from fanout_test.case import main
from fanout_test.copying import SMALL, CopyCase
from fanout_test.processes import wait_until

INDEXES = """SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid = %s::regclass AND NOT i.indisprimary AND i.indisvalid ORDER BY 1"""
COMMENTS = """SELECT objsubid, description FROM pg_description WHERE objoid = %s::regclass
              AND classoid = 'pg_class'::regclass ORDER BY 1"""


class IndexChanges(CopyCase):
    def begin(self, **options):
        stage = self.stage()
        self.rows(stage, "t", 500, "id integer PRIMARY KEY, n integer, note text, span int4range",
                  "i, i, 'row ' || i, int4range(i, i + 1)")
        stage.subscribe("postgres", **{**SMALL, **options})
        self.finished(stage, "postgres")
        return stage

    def indexes(self, database, table="t"):
        return dict(database.run(INDEXES, (table,)))

    def same_indexes(self, stage, table="t", without=()):
        stage.compare("postgres")
        expected = self.indexes(stage.shop, table)
        for name in without:
            del expected[name]
        self.assertEqual(expected, self.indexes(stage.copy, table))
        return expected

    def test_they_come_and_go(self):
        stage = self.begin()
        self.in_one(stage, "UPDATE t SET n = n + 1", "CREATE INDEX by_n ON t (n DESC) WHERE note <> 'it''s'",
                    "ALTER TABLE t RENAME n TO m", "CREATE UNIQUE INDEX \"By Note\" ON t (lower(note)) INCLUDE (m)",
                    "ALTER TABLE t RENAME TO u", "INSERT INTO u VALUES (501, 1, 'more')",
                    "SAVEPOINT s", "CREATE INDEX never ON u (note)", "ROLLBACK TO s",
                    "CREATE INDEX for_a_moment ON u (note)", "DROP INDEX for_a_moment")
        stage.tables = ["public.u"]
        self.assertEqual(len(self.same_indexes(stage, "u")), 2)
        stage.shop.run("CREATE INDEX CONCURRENTLY later ON u USING hash (note)")
        stage.shop.run("ALTER TABLE u ADD CONSTRAINT once UNIQUE (m, id)")
        stage.shop.run("ALTER TABLE u ADD CONSTRAINT apart EXCLUDE USING gist (span WITH &&)")
        self.assertEqual(len(self.same_indexes(stage, "u", ["apart"])), 4)
        stage.shop.run("ALTER INDEX by_n RENAME TO by_m; ALTER TABLE u RENAME CONSTRAINT once TO twice")
        self.in_one(stage, "ALTER INDEX by_m RENAME TO swap", "ALTER INDEX later RENAME TO by_m", "ALTER INDEX swap RENAME TO later")
        self.assertEqual(len(self.same_indexes(stage, "u", ["apart"])), 4)
        stage.shop.run("DROP INDEX CONCURRENTLY later")
        stage.shop.run("ALTER TABLE u DROP CONSTRAINT twice; INSERT INTO u SELECT id + 1000, m, note || '!' FROM u")
        self.assertEqual(len(self.same_indexes(stage, "u", ["apart"])), 2)

    def test_of_new_tables(self):
        stage = self.begin()
        self.new_table(stage)
        self.finished(stage, "postgres")
        self.has_indexes_of_new_table(stage)

    def test_of_new_tables_that_are_not_copied(self):
        stage = self.stage()
        self.rows(stage, "t", 1)
        stage.subscribe("postgres")
        self.new_table(stage)
        self.has_indexes_of_new_table(stage)

    def new_table(self, stage):
        self.in_one(stage, "CREATE TABLE n (id integer PRIMARY KEY, code text UNIQUE, late integer UNIQUE DEFERRABLE)",
                    "INSERT INTO n VALUES (1, 'a', 1)", "CREATE INDEX n_both ON n (code, late)")
        stage.tables = ["public.n"]

    def has_indexes_of_new_table(self, stage):
        stage.compare("postgres")
        self.assertEqual(self.indexes(stage.copy, "n"), {
            "n_code_key": "CREATE UNIQUE INDEX n_code_key ON public.n USING btree (code)",
            "n_late_key": "CREATE INDEX n_late_key ON public.n USING btree (late)",
            "n_both": "CREATE INDEX n_both ON public.n USING btree (code, late)"})

    def test_of_a_table_that_has_no_row_yet(self):
        """The target's table is made for its first row, or for the index before that."""
        stage = self.stage()
        self.rows(stage, "t", 0)
        stage.subscribe("postgres", backfill=False, create_tables=True)
        stage.shop.run("CREATE INDEX by_n ON t (n)")
        stage.shop.run("INSERT INTO t VALUES (1, 1, 'one')")
        stage.wait_for("postgres")
        self.assertEqual(list(self.same_indexes(stage)), ["by_n"])

    def test_while_the_table_is_copied(self):
        """Rows that are copied may be ahead of the stream: the copy makes what there is at its end."""
        stage = self.stage()
        self.rows(stage, "t", 3000)
        stage.subscribe("postgres", **SMALL, rows_per_second=800)
        wait_until("some of it is copied", lambda: any(row[4] for row in self.copies(stage, "postgres")))
        stage.shop.run("SELECT fanout.pause_backfill('postgres')")
        stage.shop.run("CREATE UNIQUE INDEX once ON t (note); CREATE INDEX gone ON t (n)")
        stage.shop.run("UPDATE t SET note = 'x' WHERE id = 2999; UPDATE t SET note = 'row 2999' WHERE id = 1; "
                       "ALTER INDEX once RENAME TO single; DROP INDEX gone")
        stage.shop.run("SELECT fanout.wait_for('postgres', backfill => false)")
        self.assertEqual(self.indexes(stage.copy), {})
        stage.shop.run("SELECT fanout.resume_backfill('postgres')")
        self.finished(stage, "postgres")
        self.assertEqual(set(self.same_indexes(stage)), {"single"})

    def test_whose_tables(self):
        stage = self.stage()
        stage.copy.run("CREATE TABLE t (id integer PRIMARY KEY, n integer)")
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, n integer)")
        stage.subscribe("postgres")
        stage.shop.run("CREATE INDEX by_n ON t (n); INSERT INTO t VALUES (1, 1)")
        stage.wait_for("postgres")
        self.assertEqual(self.indexes(stage.copy), {})
        stage.daemon.stop()  # whose lane takes up an option a moment later
        stage.shop.run("SELECT fanout.alter_subscription('postgres', %s)", (json.dumps({"create_indexes": True}),))
        stage.shop.run("CREATE INDEX by_both ON t (n, id)")
        stage.daemon.start()
        stage.wait_for("postgres")
        self.assertEqual(list(self.indexes(stage.copy)), ["by_both"])

    def test_columns_that_are_left_out_and_masked(self):
        stage = self.stage()
        self.rows(stage, "t", 10, "id integer PRIMARY KEY, n integer, note text, hidden text", "i, i, 'row ' || i, 'h' || i")
        stage.subscribe("postgres", [json.dumps({"table": "public.t", "columns": ["id", "n", "note"],
                                                 "masks": {"note": "hash"}})])
        stage.shop.run("INSERT INTO t VALUES (12, 12, 'twelve', 'h')")
        stage.wait_for("postgres")
        stage.shop.run("CREATE INDEX plain ON t (n, note); CREATE UNIQUE INDEX masked ON t (note); CREATE INDEX told ON t (lower(note)); "
                       "CREATE INDEX left_out ON t (hidden); CREATE INDEX partly ON t (n) WHERE hidden <> 'h1'")
        stage.shop.run("INSERT INTO t VALUES (11, 11, 'eleven', 'h')")
        stage.wait_for("postgres")
        self.assertEqual(list(self.indexes(stage.copy)), ["plain"])
        self.assertNotIn("cannot create index", stage.daemon.log_tail(200))  # because it was not told of the others

    def test_one_that_cannot_be_made_holds_up_nobody(self):
        stage = self.begin()
        stage.copy.run("UPDATE t SET note = 'the same' WHERE id < 3; CREATE SEQUENCE taken")
        self.in_one(stage, "UPDATE t SET n = n + 1 WHERE id > 5", "CREATE UNIQUE INDEX once ON t (note)",
                    "CREATE INDEX by_n ON t (n)", "ALTER INDEX by_n RENAME TO taken", "UPDATE t SET note = 'same again' WHERE id = 1")
        stage.wait_for("postgres")
        self.assertEqual(list(self.indexes(stage.copy)), ["by_n"])
        self.assertEqual(stage.copy.value("SELECT sum(n) FROM t"), stage.shop.value("SELECT sum(n) FROM t"))
        self.assertIn("cannot create index \"once\"", stage.daemon.log_tail(200))
        self.assertEqual(stage.status("postgres")["retries"], 0)

    def test_comments(self):
        stage = self.begin()
        self.in_one(stage, "COMMENT ON TABLE t IS 'it''s a \\ table'", "COMMENT ON COLUMN t.n IS 'once'", "ALTER TABLE t RENAME n TO m",
                    "COMMENT ON COLUMN t.m IS 'twice'", "COMMENT ON COLUMN t.note IS 'never'", "COMMENT ON COLUMN t.note IS NULL")
        stage.compare("postgres")
        self.assertEqual(stage.shop.run(COMMENTS, ("t",)), stage.copy.run(COMMENTS, ("t",)))
        self.assertEqual(len(stage.copy.run(COMMENTS, ("t",))), 2)


main()
