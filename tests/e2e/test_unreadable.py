"""A row that the source itself cannot show stops nobody but who wants it."""
from fanout_test.case import Case, main
from fanout_test.processes import wait_until

TYPE = """
CREATE TYPE brittle;
CREATE FUNCTION brittle_in(cstring) RETURNS brittle LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION brittle_out(brittle) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS '%s';
CREATE TYPE brittle (INPUT = brittle_in, OUTPUT = brittle_out, LIKE = int4);
"""


class Unreadable(Case):
    def stage_with_type(self, **options):
        """A type whose output function always fails, in one table of two."""
        stage = self.stage()
        stage.shop.run(TYPE % "shell_out")
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v brittle)")
        stage.shop.run("CREATE TABLE plain (id integer PRIMARY KEY)")
        stage.copy.run(TYPE % "int4out")
        stage.subscribe("postgres", ["public.*"], **options)
        stage.subscribe("file", ["public.plain"])
        return stage

    def write(self, stage):
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (1, NULL), (2, '5'), (3, NULL)")
            cursor.execute("INSERT INTO plain VALUES (1)")
        connection.close()

    def ids(self, stage, table="t"):
        return [row[0] for row in stage.copy.run(f"SELECT id FROM {table} ORDER BY id")]

    def test_parked(self):
        stage = self.stage_with_type(on_reject="park")
        self.write(stage)
        stage.wait_for("postgres", "file")
        self.assertEqual(self.ids(stage), [1, 3])
        self.assertEqual(self.ids(stage, "plain"), [1])

        def letters():
            return stage.shop.run("SELECT state, operation, table_name, index, error FROM fanout.dead_letters")
        wait_until("it is reported", lambda: len(letters()) == 1)
        self.assertEqual(letters()[0][:4], ("parked", "unreadable row", "t", 2))
        for text in ("(id)=(2)", "public.t", "cannot be read at the source", "shell type"):
            self.assertIn(text, letters()[0][4])
        row = stage.status("postgres")
        self.assertEqual((row["rows_read"], row["rows_delivered"], row["rows_dead_lettered"]), (4, 3, 1))
        # Mended: what comes now can be read, and the row comes with its next change.
        stage.shop.run("CREATE OR REPLACE FUNCTION brittle_out(brittle) RETURNS cstring LANGUAGE internal "
                       "IMMUTABLE STRICT AS 'int4out'")
        stage.shop.run("ALTER TABLE t ALTER v SET STATISTICS 10")
        stage.shop.run("INSERT INTO t VALUES (4, '7')")
        stage.wait_for("postgres")
        self.assertEqual(stage.copy.run("SELECT id, v::text FROM t WHERE id = 4"), [(4, "7")])

    def test_stopped_and_skipped(self):
        stage = self.stage_with_type()
        self.write(stage)
        stage.wait_for("file")
        row = stage.wait_state("postgres", "failed")
        self.assertIn("cannot be read at the source", row["last_error"])
        hint = row["last_error_hint"]
        stage.shop.run(hint[hint.index("SELECT fanout.skip("):hint.index(";")])
        stage.wait_for("postgres")
        self.assertEqual(self.ids(stage), [1, 3])
        self.assertTrue(stage.slot()["active"])


main()
