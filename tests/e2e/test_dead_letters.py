"""A row that its target will not have: the subscription stops before it, or puts it aside."""
import json
import sqlite3

from fanout_test.case import Case, main
from fanout_test.processes import wait_until

COUNTS = ("rows_read", "rows_delivered", "rows_filtered", "rows_dead_lettered")


class DeadLetters(Case):
    def stage_with_rows(self, kind, **options):
        """A target that refuses NaN: for sqlite and file by option, for postgres by a check."""
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v real)")
        target = stage.options_of(kind)
        if kind == "postgres":
            stage.copy.run("CREATE TABLE t (id integer PRIMARY KEY, v real CHECK (v <> 'NaN'))")
        else:
            target["unrepresentable"] = "error"
        stage.subscribe(kind, ["public.t"], target_options=target, **options)
        return stage

    def rows_at(self, stage, kind):
        if kind == "postgres":
            return stage.copy.run("SELECT id, v FROM t ORDER BY id")
        if kind == "sqlite":
            database = sqlite3.connect(stage.sqlite_path)
            rows = database.execute("SELECT id, v FROM t ORDER BY id").fetchall()
            database.close()
            return rows
        with open(stage.file_path, encoding="utf-8") as file:
            return [tuple(json.loads(line)["after"].values()) for line in file]

    def letters(self, stage):
        return stage.shop.run("SELECT state, schema_name, table_name, operation, index, error "
                              "FROM fanout.dead_letters ORDER BY commit_lsn, index")

    def counts(self, stage, kind):
        row = stage.status(kind)
        return tuple(row[name] for name in COUNTS)

    def wait_counts(self, stage, kind, expected):
        wait_until(lambda: f"{self.counts(stage, kind)} is {expected}",
                   lambda: self.counts(stage, kind) == expected)

    def write(self, stage):
        """Two transactions with three poisoned rows among six."""
        stage.shop.run("INSERT INTO t VALUES (1, 1), (2, 'NaN'), (3, 3)")
        stage.shop.run("INSERT INTO t VALUES (4, 'NaN'), (5, 'NaN'), (6, 6)")

    def park(self, kind):
        stage = self.stage_with_rows(kind, on_reject="park")
        self.write(stage)
        stage.wait_for(kind)
        self.assertEqual(self.rows_at(stage, kind), [(1, 1.0), (3, 3.0), (6, 6.0)])
        wait_until("the dead letters are reported", lambda: len(self.letters(stage)) == 3)
        letters = self.letters(stage)
        self.assertEqual([letter[:5] for letter in letters],
                         [("parked", "public", "t", "insert", 2), ("parked", "public", "t", "insert", 1),
                          ("parked", "public", "t", "insert", 2)])
        for letter in letters:
            self.assertIn("t", letter[5])
        self.wait_counts(stage, kind, (6, 3, 0, 3))
        # Nothing of it is forgotten by a crash of fanoutd, and nothing comes twice.
        stage.daemon.kill()
        stage.shop.run("INSERT INTO t VALUES (7, 'NaN'), (8, 8)")
        stage.daemon.start()
        stage.wait_for(kind)
        self.assertEqual(self.rows_at(stage, kind)[-1], (8, 8.0))
        self.assertEqual(len(self.rows_at(stage, kind)), 4)
        wait_until("the fourth is reported", lambda: len(self.letters(stage)) == 4)
        self.assertEqual(self.counts(stage, kind)[3], 4)
        read, delivered, filtered, dead = self.counts(stage, kind)
        self.assertEqual(read, delivered + filtered + dead)
        self.assertEqual(stage.slot()["active"], True)

    def test_parked_at_sqlite(self):
        self.park("sqlite")

    def test_parked_at_postgres(self):
        self.park("postgres")

    def test_parked_at_a_file(self):
        self.park("file")

    def test_what_was_in_flight_beside_refused_rows_is_counted(self):
        stage = self.stage_with_rows("postgres", on_reject="park")
        stage.shop.run("INSERT INTO t VALUES (0, 0)")
        stage.wait_for("postgres")
        total, poisoned = 1, 0
        for batch in range(8):
            # Until several groups wait for the first one.
            lock = stage.copy.connect(autocommit=False)
            lock.cursor().execute("LOCK TABLE t")
            for _ in range(12):
                bad = batch % 2 == 1 and total % 8 == 0
                poisoned += bad
                stage.shop.run("INSERT INTO t VALUES (%s, %s)", (total, "NaN" if bad else 1))
                total += 1
            lock.rollback()
            lock.close()
        stage.wait_for("postgres")
        self.wait_counts(stage, "postgres", (total, total - poisoned, 0, poisoned))

    def test_stop_names_the_row_and_skip_leaves_it_out(self):
        stage = self.stage_with_rows("sqlite")
        self.write(stage)
        for _ in range(3):
            row = stage.wait_state("sqlite", "failed")
            hint = row["last_error_hint"]
            call = hint[hint.index("SELECT fanout.skip("):]
            stage.shop.run(call)
        stage.wait_for("sqlite")
        self.assertEqual(self.rows_at(stage, "sqlite"), [(1, 1.0), (3, 3.0), (6, 6.0)])
        wait_until("all are parked", lambda: [letter[0] for letter in self.letters(stage)] == ["parked"] * 3)
        self.assertIn("skipped by postgres", self.letters(stage)[0][5])
        self.wait_counts(stage, "sqlite", (6, 3, 0, 3))
        self.refused(lambda: stage.shop.run("SELECT fanout.skip('sqlite', '0/1', 0)"),
                     "commit LSN and its index", sqlstate="22023")
        self.refused(lambda: stage.shop.run("SELECT fanout.skip('nobody', '0/1', 1)"), "nobody")


main()
