"""What the options say becomes of a value or a type that a target has no place for."""
import json
import sqlite3

from fanout_test.case import Case, main


class Unrepresentable(Case):
    def test_text_null_or_a_rejected_row(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE f (id integer PRIMARY KEY, v real)")
        for policy in ("text", "null", "error"):
            for kind in ("sqlite", "file"):
                options = stage.options_of(kind)
                options["path"] += "." + policy
                stage.subscribe(kind, ["public.f"], name=f"{kind}_{policy}",
                                target_options={**options, "unrepresentable": policy})
        run("INSERT INTO f VALUES (1, 1.5)")
        stage.wait_for("sqlite_error", "file_error")
        run("INSERT INTO f VALUES (2, 'NaN')")
        stage.wait_for("sqlite_text", "sqlite_null", "file_text", "file_null")

        def in_sqlite(policy):
            database = sqlite3.connect(f"{stage.sqlite_path}.{policy}")
            rows = database.execute("SELECT id, v FROM f ORDER BY id").fetchall()
            database.close()
            return rows

        def in_file(policy):
            with open(f"{stage.file_path}.{policy}", encoding="utf-8") as file:
                return [tuple(json.loads(line)["after"].values()) for line in file]

        for look in (in_sqlite, in_file):
            self.assertEqual(look("text"), [(1, 1.5), (2, "NaN")])
            self.assertEqual(look("null"), [(1, 1.5), (2, None)])
        for kind in ("sqlite", "file"):
            row = stage.wait_state(f"{kind}_error", "failed")
            for words in ("NaN", 'column "v"', "real"):
                self.assertIn(words, row["last_error"])
            self.assertIn("unrepresentable", row["last_error_hint"])
        self.assertEqual(in_sqlite("error"), [(1, 1.5)])
        self.assertEqual(in_file("error"), [(1, 1.5)])


class MissingTypes(Case):
    def test_named_or_text(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        run("CREATE DOMAIN positive AS integer")
        run("CREATE TABLE t (id integer PRIMARY KEY, m mood, l mood[], p positive)")
        stage.subscribe("postgres", ["public.t"])
        run("INSERT INTO t VALUES (1, 'ok', '{sad,NULL}', 7)")
        row = stage.wait_state("postgres", "failed")
        self.assertIn("public.mood", row["last_error"])
        self.assertIn('column "m"', row["last_error"])
        self.assertIn("missing_types", row["last_error_hint"])
        stage.shop.run("SELECT fanout.drop_subscription('postgres')")
        run("TRUNCATE t")
        stage.subscribe("postgres", ["public.t"], name="as_text", target_options={
            **stage.options_of("postgres"), "missing_types": "text"})
        run("INSERT INTO t VALUES (1, 'ok', '{sad,NULL}', 7)")
        run("UPDATE t SET m = 'sad', p = 8")
        stage.wait_for("as_text")
        self.assertEqual(stage.copy.run("SELECT m, l, p, pg_typeof(m)::text, pg_typeof(p)::text "
                                        "FROM t"), [("sad", "{sad,NULL}", 8, "text", "integer")])


main()
