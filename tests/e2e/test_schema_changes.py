"""Schema changes travel with the data: applied at the SQL targets at their place, held, or ignored."""
import json

from fanout_test.case import Case, main
from fanout_test.processes import wait_until

SQL_TARGETS = ("postgres", "sqlite")


class SchemaChanges(Case):
    def begin(self, *kinds, **options):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, a text, b integer)")
        for kind in kinds:
            stage.subscribe(kind, ["/^(public|other)[.]/"], **options)
        return stage

    def same(self, stage, tables, *kinds):
        stage.tables = list(tables)
        return stage.compare(*(kinds or SQL_TARGETS))

    def columns_of(self, database, table):
        return database.run("SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM "
                            "pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT "
                            "attisdropped ORDER BY attname", (table,))

    def test_columns_in_the_midst_of_a_transaction(self):
        stage = self.begin(*SQL_TARGETS)
        self.in_one(stage, "INSERT INTO t SELECT i, 'x' || i, i FROM generate_series(1, 10) i",
                    "ALTER TABLE t ADD c text DEFAULT 'fa''st\\' NOT NULL, ADD d boolean DEFAULT true,"
                    " ADD e bytea DEFAULT '\\x00ff', ADD f timestamptz DEFAULT now()",
                    "UPDATE t SET b = b + 1 WHERE id < 4",
                    "ALTER TABLE t RENAME a TO renamed",
                    "INSERT INTO t VALUES (11, 'y', 11, 'slow', false, '\\x01', now())",
                    "ALTER TABLE t DROP b, ALTER renamed SET NOT NULL",
                    "DELETE FROM t WHERE id = 5",
                    "ALTER TABLE t ADD b bigint, DROP COLUMN d",
                    "UPDATE t SET b = 99 WHERE id = 2")
        self.same(stage, ["t"])
        self.assertEqual(self.columns_of(stage.shop, "t"), self.columns_of(stage.copy, "t"))
        stage.shop.run("ALTER TABLE t ALTER c DROP NOT NULL")
        stage.shop.run("INSERT INTO t VALUES (12, 'z', NULL, NULL, NULL, 5)")
        self.same(stage, ["t"])

    def test_names_that_swap_follow_the_tables(self):
        stage = self.begin(*SQL_TARGETS)
        stage.shop.run("CREATE TABLE u (id integer PRIMARY KEY, w text)")
        stage.shop.run("INSERT INTO t VALUES (1, 't', 1); INSERT INTO u VALUES (1, 'u')")
        self.in_one(stage, "ALTER TABLE t RENAME TO swap", "ALTER TABLE u RENAME TO t",
                    "INSERT INTO t VALUES (2, 'was u')", "ALTER TABLE swap RENAME TO u",
                    "UPDATE u SET a = 'was t'", "CREATE SCHEMA other", "ALTER TABLE u SET SCHEMA other",
                    "ALTER TABLE t RENAME id TO swap", "ALTER TABLE t RENAME w TO id",
                    "ALTER TABLE t RENAME swap TO w", "INSERT INTO t VALUES (3, 'three')")
        self.same(stage, ["t", "other.u"])
        stage.shop.run("ALTER SCHEMA other RENAME TO elsewhere")
        stage.shop.run("ALTER SCHEMA elsewhere RENAME TO other")
        stage.shop.run("INSERT INTO other.u VALUES (9, 'nine', 9)")
        self.same(stage, ["t", "other.u"])

    def test_rewrites_bring_their_rows(self):
        stage = self.begin(*SQL_TARGETS)
        stage.shop.run("CREATE UNLOGGED TABLE u (id integer PRIMARY KEY, w text)")
        stage.shop.run("INSERT INTO u SELECT i, repeat('u', 5000) || i FROM generate_series(1, 30) i")
        self.in_one(stage, "INSERT INTO t SELECT i, i::text, i FROM generate_series(1, 300) i",
                    "ALTER TABLE t ALTER b TYPE text USING 'b' || b * 2, ALTER a TYPE bigint USING a::int * 3",
                    "INSERT INTO t VALUES (301, 5, 'six')")
        self.same(stage, ["t"])
        stage.shop.run("ALTER TABLE t ADD r float8 DEFAULT random(), ADD s serial, ADD g text "
                       "GENERATED ALWAYS AS (b || 'g') STORED")
        stage.shop.run("UPDATE t SET b = 'after' WHERE id = 7")
        self.same(stage, ["t"])
        # a type without a rewrite, behind the rows of one that was rewritten in the same transaction
        self.in_one(stage, "ALTER TABLE u SET LOGGED", "INSERT INTO u VALUES (31, 'logged')",
                    "ALTER TABLE u ALTER w TYPE varchar")
        self.same(stage, ["t", "u"])
        stage.shop.run("VACUUM FULL t")
        stage.shop.run("ALTER TABLE t ALTER a TYPE numeric(30,2)")
        stage.shop.run("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, s)")
        stage.shop.run("UPDATE t SET a = a / 7 WHERE id > 290")
        self.same(stage, ["t", "u"])
        self.assertEqual(stage.status("postgres")["rows_dead_lettered"], 0)

    def test_tables_come_and_go(self):
        stage = self.begin(*SQL_TARGETS)
        self.in_one(stage, "CREATE TABLE n (id integer PRIMARY KEY)", "INSERT INTO n VALUES (1)",
                    "DROP TABLE n", "CREATE TABLE n (other text PRIMARY KEY)", "INSERT INTO n VALUES ('x')",
                    "CREATE TABLE made AS SELECT i AS id FROM generate_series(1, 5) i",
                    "CREATE TABLE empty (id integer PRIMARY KEY)", "SAVEPOINT s",
                    "ALTER TABLE n ADD never integer", "ROLLBACK TO s", "INSERT INTO n VALUES ('y')")
        self.same(stage, ["n", "made"])
        self.assertTrue(stage.copy.value("SELECT to_regclass('empty') IS NOT NULL"))
        stage.shop.run("DROP TABLE n, made, empty")
        stage.wait_for(*SQL_TARGETS)
        self.assertIsNone(stage.copy.value("SELECT to_regclass('n')"))
        self.assertIsNone(stage.copy.value("SELECT to_regclass('empty')"))

    def test_partitions(self):
        stage = self.begin(*SQL_TARGETS)
        stage.shop.run("CREATE TABLE p (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id)")
        stage.shop.run("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (100)")
        self.in_one(stage, "INSERT INTO p VALUES (2, 'two')",
                    "CREATE TABLE p2 (id integer PRIMARY KEY, v text)", "INSERT INTO p2 VALUES (100, 'x')",
                    "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200)",
                    "INSERT INTO p VALUES (101, 'y')", "ALTER TABLE p ADD w integer DEFAULT 5",
                    "UPDATE p SET id = id + 150 WHERE id = 2")
        self.in_one(stage, "ALTER TABLE p DETACH PARTITION p1", "INSERT INTO p1 VALUES (3, 'alone', 7)")
        self.same(stage, ["p1", "p2"])

    def test_hold_waits_for_somebody(self):
        stage = self.begin("postgres", on_ddl="hold")
        stage.shop.run("INSERT INTO t VALUES (1, 'x', 1)")
        self.in_one(stage, "INSERT INTO t VALUES (2, 'x', 1)", "ALTER TABLE t ADD c integer",
                    "INSERT INTO t VALUES (3, 'x', 1, 1)")
        status = stage.wait_state("postgres", "failed")
        self.assertIn("ALTER TABLE t ADD c integer", status["last_error"])
        self.assertIn("fanout.skip('postgres')", status["last_error_hint"])
        self.assertEqual(stage.copy.run("SELECT id FROM t"), [(1,)])
        stage.copy.run("ALTER TABLE t ADD c integer")
        stage.shop.run("SELECT fanout.skip('postgres')")
        self.same(stage, ["t"], "postgres")
        # what targets do not care about holds nothing
        stage.shop.run("CREATE INDEX ON t (b); COMMENT ON TABLE t IS 'hi'; INSERT INTO t VALUES (4)")
        self.same(stage, ["t"], "postgres")
        stage.shop.run("ALTER TABLE t DROP c; INSERT INTO t VALUES (5)")
        stage.wait_state("postgres", "failed")
        stage.shop.run("SELECT fanout.alter_subscription('postgres', '{\"on_ddl\": \"apply\"}')")
        self.same(stage, ["t"], "postgres")

    def test_one_that_cannot_be_made_names_itself(self):
        stage = self.begin("postgres")
        stage.shop.run("INSERT INTO t VALUES (1, 'x', 1)")
        stage.wait_for("postgres")
        stage.copy.run("CREATE VIEW hangs_on_it AS SELECT b FROM t")
        stage.shop.run("ALTER TABLE t DROP b; INSERT INTO t VALUES (2, 'y')")
        status = stage.wait_state("postgres", "failed")
        self.assertIn("ALTER TABLE t DROP b", status["last_error"])
        self.assertIn("hangs_on_it", status["last_error"] + status["last_error_hint"])
        stage.copy.run("DROP VIEW hangs_on_it")
        stage.shop.run("SELECT fanout.resume_subscription('postgres')")
        self.same(stage, ["t"], "postgres")

    def test_the_file_target_goes_on_by_itself(self):
        stage = self.begin("file")
        self.in_one(stage, "INSERT INTO t VALUES (1, 'x', 1)", "ALTER TABLE t ADD c integer",
                    "ALTER TABLE t ALTER b TYPE text", "INSERT INTO t VALUES (2, 'x', 'b', 1)")
        stage.wait_for("file")
        with open(stage.file_path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["op"] for line in lines], ["insert", "insert"])
        self.refused(lambda: stage.shop.run(
            "SELECT fanout.alter_subscription('file', '{\"on_ddl\": \"apply\"}')"),
            "does not support option \"on_ddl\" as \"apply\"", sqlstate="22023")

    def test_nobody_is_kept_from_changing_a_schema(self):
        stage = self.begin("postgres")
        stage.shop.run("CREATE ROLE plain; GRANT CREATE ON SCHEMA public TO plain; SET ROLE plain; "
                       "CREATE TABLE theirs (id integer PRIMARY KEY); ALTER TABLE theirs ADD x text; "
                       "CREATE TEMP TABLE passing (id integer); DROP TABLE passing; DROP TABLE theirs; RESET ROLE")
        # its snapshot does not see what somebody else has changed meanwhile; its ALTER does
        for mine, theirs in (("c", "d"), ("e", "f")):
            connection = stage.shop.connect(autocommit=False)
            with connection, connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SELECT 1")
                stage.shop.run(f"ALTER TABLE t ADD {theirs} integer")
                cursor.execute(f"ALTER TABLE t ADD {mine} integer")
            connection.close()
        stage.shop.run("INSERT INTO t VALUES (1, 'x', 1, 2, 3, 4, 5)")
        stage.copy.run("CREATE EXTENSION citext")
        stage.shop.run("CREATE EXTENSION citext; CREATE TABLE c (id citext PRIMARY KEY); "
                       "DROP EXTENSION citext CASCADE; DROP TABLE c")
        self.same(stage, ["t"], "postgres")
        self.assertEqual(stage.shop.value("SELECT count(*) FROM fanout.ddl_event"), 0)

    def test_sequences_for_taking_over(self):
        stage = self.stage()
        schema = ("CREATE TABLE s (id serial PRIMARY KEY, big bigint GENERATED ALWAYS AS IDENTITY, shared integer); "
                  "CREATE SEQUENCE shared INCREMENT 5; ALTER TABLE s ALTER shared SET DEFAULT nextval('shared'); "
                  "CREATE SEQUENCE down INCREMENT -1; CREATE TABLE d (id integer PRIMARY KEY DEFAULT nextval('down'))")
        stage.shop.run(schema)
        stage.copy.run(schema)
        stage.subscribe("postgres", ["public.*"])
        stage.shop.run("INSERT INTO s SELECT FROM generate_series(1, 100); INSERT INTO d SELECT FROM generate_series(1, 7)")
        stage.copy.run("SELECT setval('s_big_seq', 500)")
        # the copy's own sequences are untouched so far
        self.assertEqual(self.next_values(stage.copy), (1, 501, 1, -1))
        self.assertEqual(stage.shop.value("SELECT fanout.sync_sequences('postgres')"), 4)
        stage.wait_for("postgres")
        self.assertEqual(self.next_values(stage.copy), (101, 502, 501, -8))
        self.assertEqual(stage.shop.value("SELECT count(*) FROM fanout.sequence_event"), 0)
        # by option: ahead of whatever the source hands out
        stage.shop.run("SELECT fanout.alter_subscription('postgres', '{\"sequences\": true}')")
        for _ in range(4):
            stage.shop.run("INSERT INTO s SELECT FROM generate_series(1, 1500)")
            stage.wait_for("postgres")
            wait_until("the target's sequences are ahead", lambda: stage.copy.value(
                "SELECT last_value FROM s_id_seq") > stage.shop.value("SELECT last_value FROM s_id_seq"))
        stage.subscribe("file", ["public.*"])
        self.refused(lambda: stage.shop.run("SELECT fanout.sync_sequences('file')"), "file", sqlstate="0A000")

    def test_sequences_that_were_never_used(self):
        """The first value at the target is the one that the source would have given."""
        stage = self.stage()
        schema = ("CREATE TABLE s (id serial PRIMARY KEY, big bigint GENERATED ALWAYS AS IDENTITY {}, shared integer); "
                  "CREATE SEQUENCE shared INCREMENT 5; ALTER TABLE s ALTER shared SET DEFAULT nextval('shared'); "
                  "CREATE SEQUENCE down INCREMENT -1; CREATE TABLE d (id integer PRIMARY KEY DEFAULT nextval('down'))")
        stage.shop.run(schema.format("(START 1000)"))
        stage.copy.run(schema.format(""))
        stage.subscribe("postgres", ["public.*"])
        stage.shop.run("SELECT setval('s_id_seq', 40, false), setval('shared', 7)")
        stage.copy.run("SELECT setval('shared', 100, false), setval('down', -3)")
        self.assertEqual(stage.shop.value("SELECT fanout.sync_sequences('postgres')"), 4)
        stage.wait_for("postgres")
        self.assertEqual(self.next_values(stage.copy), (40, 1000, 100, -4))
        self.assertEqual(self.next_values(stage.shop), (40, 1000, 12, -1))

    def next_values(self, database):
        return tuple(database.value(f"SELECT nextval('{name}')") for name in ("s_id_seq", "s_big_seq", "shared", "down"))


if __name__ == "__main__":
    main()
