"""The schema of a table changes while its rows are copied, at each place where that can happen: every row
arrives in the shape that the target's table has there, nothing stops, nothing is lost.
"""
import itertools
import json
import time

from fanout_test.case import main
from fanout_test.copying import SMALL, CopyCase, Writer
from fanout_test.processes import wait_until

KEYS = 3000
COLUMNS = "id integer PRIMARY KEY, n integer, note varchar(40), alt integer NOT NULL DEFAULT 1"
VALUES = "i, i, repeat('n', i % 40), i"
SQL_TARGETS = ("postgres", "sqlite")


class SchemaChanges(CopyCase):
    def table(self, stage, count=KEYS, columns=COLUMNS, values=VALUES):
        self.rows(stage, "t", count, columns, values)

    def half_copied(self, stage, *kinds, **options):
        """Some of its rows are there, and others are not; the copies are paused."""
        for kind in kinds:
            stage.subscribe(kind, **{**SMALL, **options}, rows_per_second=800)
            wait_until(lambda: f"some of it is copied {self.copies(stage, kind)}", lambda: any(
                row[4] for row in self.copies(stage, kind)))
            stage.shop.run("SELECT fanout.pause_backfill(%s)", (kind,))
        for kind in kinds:
            self.assertFalse(self.is_copied(stage, kind))

    def go_on(self, stage, *kinds):
        for kind in kinds:
            stage.shop.run("SELECT fanout.resume_backfill(%s)", (kind,))

    def slow_lane(self, *statements):
        """The lane is a second in front of the statements, and serves the copy on its way:
        snapshots are taken there that see them all."""
        stage = self.stage(start=False)
        stage.daemon.options = ["--batch-rows-max", "50"]
        stage.daemon.start()
        self.table(stage)
        self.half_copied(stage, "postgres")
        stage.copy.run("""
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.id = 1 THEN PERFORM pg_sleep(0.15); END IF; RETURN NEW; END $$;
            CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION slow()""")
        for _ in range(9):
            stage.shop.run("UPDATE t SET n = n + 1 WHERE id <= 60")
        for statement in statements:
            stage.shop.run(statement)
        self.go_on(stage, "postgres")
        return stage

    CHANGED = ("ALTER TABLE t DROP note", "ALTER TABLE t ADD note integer DEFAULT 5",
               "UPDATE t SET note = id WHERE id % 2 = 0")

    def test_a_chunk_that_knows_more_than_the_lane(self):
        stage = self.slow_lane(
            *self.CHANGED, "ALTER TABLE t ADD later integer NOT NULL DEFAULT 5",
            "ALTER TABLE t RENAME n TO m", "ALTER TABLE t RENAME TO u",
            "UPDATE u SET later = id, m = 0 WHERE id % 2 = 0")
        stage.tables = ["public.u"]
        self.same(stage, "postgres")

    def test_there_and_back(self):
        """The shape is what it was, and has been another: what lies between must not be met by rows
        of behind it."""
        self.same(self.slow_lane(
            "ALTER TABLE t ALTER n SET NOT NULL", "ALTER TABLE t ALTER n DROP NOT NULL",
            "UPDATE t SET n = NULL WHERE id % 2 = 0"), "postgres")

    def test_a_rewrite_that_changes_no_type(self):
        self.same(self.slow_lane("ALTER TABLE t ALTER n TYPE integer USING n * 3"), "postgres")

    def test_another_key(self):
        self.same(self.slow_lane("UPDATE t SET n = -id WHERE id % 2 = 0",
                                 "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (n, alt)",
                                 "DELETE FROM t WHERE n = 77"), "postgres")

    def test_dropped_and_created_anew(self):
        self.same(self.slow_lane(
            "DROP TABLE t", f"CREATE TABLE t ({COLUMNS})",
            f"INSERT INTO t SELECT {VALUES} FROM generate_series(1, 700) i",
            "UPDATE t SET n = 0 WHERE id % 2 = 0"), "postgres")

    def test_a_chunk_that_knows_less(self):
        """Its rows are read, and wait for a locked target while the shape changes."""
        stage = self.stage()
        self.table(stage, 20_000)
        stage.subscribe("postgres", **SMALL)
        wait_until("the table is there", lambda: stage.copy.value("SELECT to_regclass('t') IS NOT NULL"))
        holder = stage.copy.connect(autocommit=False)
        holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        time.sleep(0.3)
        stage.shop.run("ALTER TABLE t DROP note, ADD note integer DEFAULT 3")
        stage.shop.run("ALTER TABLE t ALTER n TYPE bigint USING n * 2")
        stage.shop.run("UPDATE t SET note = id, n = n + 1 WHERE id % 2 = 0")
        holder.rollback()
        self.same(stage, "postgres")

    def test_between_the_look_and_the_first_chunk(self):
        """The lane stands where it makes the target's table ready, which is locked."""
        stage = self.stage()
        self.table(stage)
        stage.copy.run("CREATE TABLE t (id integer PRIMARY KEY, n integer, note varchar(40), "
                       "alt integer NOT NULL)")
        holder = stage.copy.connect(autocommit=False)
        holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        stage.subscribe("postgres", **SMALL)
        wait_until("the lane stands there", lambda: stage.copy.value(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass") == 1)
        self.in_one(stage, *self.CHANGED, "ALTER TABLE t RENAME TO u")
        holder.rollback()
        stage.tables = ["public.u"]
        self.same(stage, "postgres")

    def behind(self, kinds, *statements, resync):
        """The daemon comes back and finds the statements, in the midst of copies or at the beginning
        of others."""
        stage = self.stage()
        self.table(stage)
        if not resync:
            self.half_copied(stage, *kinds)
        for kind in kinds if resync else ():
            stage.subscribe(kind, **SMALL)
            self.finished(stage, kind)
        stage.daemon.stop()
        for statement in statements:
            stage.shop.run(statement)
        for kind in kinds if resync else ():
            stage.shop.run("SELECT fanout.resync(%s)", (kind,))
        if not resync:
            self.go_on(stage, *kinds)
        stage.daemon.start()
        return stage

    def test_before_the_target_is_ready(self):
        self.same(self.behind(SQL_TARGETS, *self.CHANGED, resync=True), *SQL_TARGETS)

    def test_behind_a_restart(self):
        self.same(self.behind(SQL_TARGETS, *self.CHANGED, resync=False), *SQL_TARGETS)

    def test_rows_that_are_to_go_are_in_no_way(self):
        """To what a copy will empty no change is applied, so that it may not fit the next schema."""
        stage = self.stage()
        self.table(stage, KEYS, COLUMNS, "i, nullif(i, 5), '', i")
        stage.subscribe("postgres", **SMALL)
        self.finished(stage, "postgres")
        stage.wait_for("postgres")
        stage.daemon.stop()
        stage.shop.run("SELECT fanout.resync('postgres')")
        for statement in ("UPDATE t SET n = 0 WHERE n IS NULL",
                          "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (n)"):
            stage.shop.run(statement)
        stage.daemon.start()
        self.same(stage, "postgres")

    def test_changes_that_come_faster_than_the_lane(self):
        """Wherever the lane is, the source has made three more, until the copy is complete."""
        stage = self.stage()
        self.table(stage)
        self.half_copied(stage, "postgres")
        stage.copy.run("""
            CREATE TABLE met (n serial);
            CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.05); INSERT INTO public.met DEFAULT VALUES; END $$;
            CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('ALTER TABLE')
                EXECUTE FUNCTION slow()""")
        statements = itertools.cycle(("ALTER TABLE t ALTER n SET NOT NULL", "ALTER TABLE t ALTER n DROP NOT NULL"))
        target = stage.copy.connect()

        def step(cursor):
            cursor.execute(next(statements))
            with target.cursor() as met:
                while not writer.stop_asked.is_set():
                    met.execute("SELECT count(*) FROM met")
                    if met.fetchone()[0] > writer.count - 3 or time.sleep(0.005):
                        break
        writer = Writer(stage.shop, step, per_transaction=1)
        writer.start()
        wait_until("there are some", lambda: writer.count > 3)
        self.go_on(stage, "postgres")
        self.finished(stage, "postgres")
        writer.finish()
        self.same(stage, "postgres")

    def test_where_the_target_is_somebody_elses(self):
        """on_ddl ignore and hold: the target stops where it lacks what a row needs, and goes on when
        it has it; no row is lost on the way."""
        stage = self.stage()
        self.table(stage)
        self.half_copied(stage, "postgres", on_ddl="ignore")
        self.go_on(stage, "postgres")
        stage.shop.run("ALTER TABLE t ADD later integer DEFAULT 5")
        stage.shop.run("UPDATE t SET later = id WHERE id % 2 = 0")
        self.assertIn('"later"', stage.wait_state("postgres", "failed")["last_error"])
        stage.copy.run("ALTER TABLE t ADD later integer DEFAULT 5")
        stage.shop.run("SELECT fanout.resume_subscription('postgres')")
        self.finished(stage, "postgres")
        stage.compare("postgres")
        stage.daemon.stop()  # whose lane takes up an option a moment later
        stage.shop.run("SELECT fanout.alter_subscription('postgres', %s)",
                       (json.dumps({"on_ddl": "hold"}),))
        stage.shop.run("SELECT fanout.resync('postgres')")
        stage.shop.run("ALTER TABLE t DROP later, ADD more integer")
        stage.shop.run("UPDATE t SET more = id WHERE id % 2 = 0")
        stage.daemon.start()
        self.assertIn("DROP later", stage.wait_state("postgres", "failed")["last_error"])
        stage.copy.run("ALTER TABLE t DROP later, ADD more integer")
        stage.shop.run("SELECT fanout.skip('postgres')")
        self.finished(stage, "postgres")
        stage.compare("postgres")


main()
