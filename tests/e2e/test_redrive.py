"""Dead letters are delivered again: once, in order, and never over what came later."""
import json
import sqlite3

from fanout_test.case import Case, main
from fanout_test.processes import wait_until

COUNTS = ("rows_read", "rows_delivered", "rows_filtered", "rows_dead_lettered")
REFUSE_NAN = "ALTER TABLE t ADD CONSTRAINT no_nan CHECK (v <> 'NaN')"


class Redrive(Case):
    def stage_with_rows(self, **options):
        """A PostgreSQL target that refuses NaN until the check is dropped."""
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v real, n integer)")
        stage.copy.run("CREATE TABLE t (id integer PRIMARY KEY, v real, n integer)")
        stage.copy.run(REFUSE_NAN)
        stage.subscribe("postgres", ["public.*"], on_reject="park", **options)
        return stage

    def mend(self, stage):
        stage.copy.run("ALTER TABLE t DROP CONSTRAINT no_nan")

    def rows(self, stage):
        return [(row[0], str(row[1]), row[2]) for row in stage.copy.run("SELECT id, v, n FROM t ORDER BY id")]

    def letters(self, stage, columns="state, operation, attempts"):
        return stage.shop.run(f"SELECT {columns} FROM fanout.dead_letters ORDER BY commit_lsn, index")

    def wait_letters(self, stage, expected):
        wait_until(lambda: f"{self.letters(stage)} is {expected}", lambda: self.letters(stage) == expected)

    def counts(self, stage, name="postgres"):
        row = stage.status(name)
        return tuple(row[column] for column in COUNTS)

    def wait_sum(self, stage):
        """Of what is in hand only rows_read knows."""
        wait_until("the counters add up", lambda: self.counts(stage)[0] == sum(self.counts(stage)[1:]))

    def wait_counts(self, stage, expected, name="postgres"):
        self.assertEqual(expected[0], sum(expected[1:]))
        wait_until(lambda: f"{self.counts(stage, name)} is {expected}",
                   lambda: self.counts(stage, name) == expected)

    def test_what_was_mended_arrives_in_order_and_once(self):
        stage = self.stage_with_rows()
        stage.shop.run("INSERT INTO t VALUES (1, 1, 0), (2, 'NaN', 0), (3, 3, 0)")
        stage.shop.run("UPDATE t SET n = 7 WHERE id = 2")
        stage.wait_for("postgres")
        self.wait_letters(stage, [("parked", "insert", 1), ("parked", "update", 1)])
        self.wait_counts(stage, (4, 2, 0, 2))
        # Not mended yet: it stays where it is, and the rest goes on.
        self.assertEqual(stage.shop.value("SELECT fanout.redrive('postgres')"), 2)
        self.wait_letters(stage, [("parked", "insert", 2), ("parked", "update", 2)])
        stage.shop.run("INSERT INTO t VALUES (4, 4, 0)")
        stage.wait_for("postgres")
        self.wait_counts(stage, (5, 3, 0, 2))
        self.mend(stage)
        self.assertEqual(stage.shop.value("SELECT fanout.redrive('postgres', tables => 'public.other')"), 0)
        self.assertEqual(stage.shop.value("SELECT fanout.redrive('postgres', tables => 'public.t')"), 2)
        self.wait_letters(stage, [])
        self.assertEqual(self.rows(stage), [(1, "1.0", 0), (2, "nan", 7), (3, "3.0", 0), (4, "4.0", 0)])
        self.wait_counts(stage, (5, 5, 0, 0))
        tables = stage.shop.run("SELECT rows_delivered FROM fanout.subscription_tables WHERE table_name = 't'")
        self.assertEqual(tables, [(5,)])
        stage.daemon.kill()
        stage.daemon.start()
        stage.shop.run("DELETE FROM t WHERE id = 2")
        stage.wait_for("postgres")
        self.assertEqual(self.rows(stage), [(1, "1.0", 0), (3, "3.0", 0), (4, "4.0", 0)])
        self.assertEqual(self.letters(stage), [])

    def test_an_older_change_never_overwrites_a_newer_one(self):
        stage = self.stage_with_rows()
        stage.shop.run("INSERT INTO t VALUES (1, 'NaN', 0), (2, 'NaN', 0), (3, 'NaN', 0)")
        stage.shop.run("DELETE FROM t WHERE id = 1")
        stage.shop.run("INSERT INTO t VALUES (1, 5, 5)")
        stage.wait_for("postgres")
        wait_until("the letters are reported", lambda: len(self.letters(stage)) >= 3)
        first = self.letters(stage, "state, commit_lsn, index, superseded_by")[0]
        self.assertEqual(first[0], "superseded")
        self.assertIsNotNone(first[3])
        self.refused(lambda: stage.shop.run("SELECT fanout.redrive('postgres', %s, %s)", first[1:3]),
                     "can no longer be delivered", "fanout.resync", sqlstate="55000")
        self.mend(stage)
        lsn, index = self.letters(stage, "commit_lsn, index")[1]
        self.assertEqual(stage.shop.value("SELECT fanout.redrive('postgres', %s, %s)", (lsn, index)), 1)
        wait_until("it is delivered", lambda: (2, "nan", 0) in self.rows(stage))
        self.assertEqual(stage.shop.value("SELECT fanout.redrive('postgres')"), 1)
        wait_until("the other, too", lambda: (3, "nan", 0) in self.rows(stage))
        self.assertEqual(self.rows(stage), [(1, "5.0", 5), (2, "nan", 0), (3, "nan", 0)])
        wait_until("only what is superseded is left",
                   lambda: {letter[0] for letter in self.letters(stage)} == {"superseded"})
        self.wait_sum(stage)
        # A truncation leaves no row that could be delivered.
        stage.copy.run("ALTER TABLE t ADD CHECK (v <> 'NaN') NOT VALID")
        stage.shop.run("INSERT INTO t VALUES (9, 'NaN', 0)")
        stage.wait_for("postgres")
        stage.shop.run("TRUNCATE t")
        stage.wait_for("postgres")
        wait_until("all are superseded",
                   lambda: {letter[0] for letter in self.letters(stage)} == {"superseded"})

    def test_a_crash_behind_the_targets_commit_delivers_nothing_twice(self):
        for kind in ("postgres", "sqlite", "file"):
            with self.subTest(kind):
                self.crash(kind)

    def crash(self, kind):
        stage = self.stage(start=False)
        stage.daemon.env = {"FANOUT_FAULTS": "lane.redriven:1:crash", "FANOUT_FAULT_DIR": stage.folder}
        stage.daemon.start()
        # Without a key nothing but the note keeps the row from being there twice.
        stage.shop.run("CREATE TABLE t (id integer, v real)")
        stage.shop.run("ALTER TABLE t REPLICA IDENTITY NOTHING")
        target = stage.options_of(kind)
        if kind == "postgres":
            stage.copy.run("CREATE TABLE t (id integer, v real)")
            stage.copy.run(REFUSE_NAN)
        else:
            target["unrepresentable"] = "error"
        stage.subscribe(kind, ["public.t"], target_options=target, on_reject="park")
        stage.shop.run("INSERT INTO t VALUES (1, 1), (2, 'NaN'), (3, 3)")
        stage.wait_for(kind)
        self.wait_letters(stage, [("parked", "insert", 1)])
        if kind == "postgres":
            self.mend(stage)
        else:
            stage.shop.run("SELECT fanout.pause_subscription(%s)", (kind,))
            stage.shop.run("UPDATE fanout.target_def SET options = options || '{\"unrepresentable\": \"text\"}'")
        stage.shop.run("SELECT fanout.redrive(%s)", (kind,))
        if kind != "postgres":
            stage.shop.run("SELECT fanout.resume_subscription(%s)", (kind,))
        wait_until("it crashes", lambda: not stage.daemon.running())
        stage.daemon.env = {}
        stage.daemon.start()
        self.wait_letters(stage, [])
        stage.shop.run("INSERT INTO t VALUES (4, 4)")
        stage.wait_for(kind)
        self.assertEqual(sorted(self.ids_at(stage, kind)), [1, 2, 3, 4])
        stage.daemon.stop()

    def ids_at(self, stage, kind):
        if kind == "postgres":
            return [row[0] for row in stage.copy.run("SELECT id FROM t")]
        if kind == "sqlite":
            database = sqlite3.connect(stage.sqlite_path)
            rows = database.execute("SELECT id FROM t").fetchall()
            database.close()
            return [row[0] for row in rows]
        with open(stage.file_path, encoding="utf-8") as file:
            return [json.loads(line)["after"]["id"] for line in file]

    def test_letters_of_a_lost_state_directory_are_named(self):
        stage = self.stage_with_rows()
        stage.shop.run("INSERT INTO t VALUES (1, 'NaN', 0)")
        stage.wait_for("postgres")
        self.wait_letters(stage, [("parked", "insert", 1)])
        stage.shop.run("UPDATE fanout.dead_letter SET index = 5")
        stage.shop.run("SELECT fanout.redrive('postgres', commit_lsn, index) FROM fanout.dead_letter WHERE index = 5")
        wait_until("it is lost", lambda: ("lost", "insert", 1) in self.letters(stage))
        self.assertIn("does not have this change", self.letters(stage, "error")[-1][0])
        self.refused(lambda: stage.shop.run("SELECT fanout.redrive('postgres', '0/1', 1)"),
                     "no dead letter", sqlstate="42704")
        self.refused(lambda: stage.shop.run("SELECT fanout.redrive('postgres', index => 1)"),
                     "names no change", sqlstate="22023")

    def test_a_copied_row_is_parked_and_copied_again(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v real, n integer)")
        stage.shop.run("INSERT INTO t SELECT i, CASE WHEN i IN (5, 700) THEN 'NaN'::real ELSE i END, i "
                       "FROM generate_series(1, 1000) i")
        stage.copy.run("CREATE TABLE t (id integer PRIMARY KEY, v real, n integer)")
        stage.copy.run(REFUSE_NAN)
        stage.subscribe("postgres", ["public.t"], on_reject="park", backfill=True)
        self.wait_letters(stage, [("parked", "copy", 1)] * 2)
        wait_until("all others are there", lambda: stage.copy.value("SELECT count(*) FROM t") == 998)
        stage.wait_state("postgres", "streaming")
        self.wait_counts(stage, (1000, 998, 0, 2))
        self.mend(stage)
        stage.shop.run("SELECT fanout.redrive('postgres')")
        self.wait_letters(stage, [("parked", "copy", 2)] * 2)
        stage.shop.run("SELECT fanout.resync('postgres')")
        wait_until("all are there", lambda: stage.copy.value("SELECT count(*) FROM t") == 1000)
        wait_until("the letters are superseded",
                   lambda: [letter[0] for letter in self.letters(stage)] == ["superseded"] * 2)


main()
