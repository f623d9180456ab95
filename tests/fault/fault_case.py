"""Load on all three targets, and fanoutd killed at named places; shared by the tests of this folder.

The points and their identifiers are in docs/testing.md.
"""
import glob
import os
import random
import signal
import time

from fanout_test import bank, shop
from fanout_test.case import Case, seed
from fanout_test.processes import wait_until
from fanout_test.stage import KINDS, sum_at_every_commit

# Small, so that a run of seconds fills several segments and cuts transactions into parts.
SMALL = ["--journal-segment-bytes", "1MB", "--batch-rows-max", "400"]

AT_START, BY_TRAFFIC, BY_BULK, BY_NEW_TABLE, BY_TERM, BY_HUP = range(6)

# fault point -> what brings fanoutd to it
DAEMON_POINTS = {
    "stream.epoch_saved": AT_START, "stream.ring_mapped": AT_START, "lane.opened": AT_START,
    "state.file_unrenamed": AT_START,
    "drain.bytes_seen": BY_TRAFFIC, "drain.ring_not_freed": BY_TRAFFIC,
    "drain.durable_unacknowledged": BY_TRAFFIC, "drain.acknowledged": BY_TRAFFIC,
    "journal.half_appended": BY_TRAFFIC, "journal.written": BY_TRAFFIC,
    "journal.unsynced": BY_TRAFFIC, "journal.synced": BY_TRAFFIC,
    "journal.segment_created": BY_BULK, "journal.segment_removed": BY_BULK,
    "lane.transaction_decoded": BY_TRAFFIC, "lane.batch_ready": BY_TRAFFIC,
    "lane.part_written": BY_BULK, "lane.batch_written": BY_TRAFFIC, "lane.flushed": BY_TRAFFIC,
    "lane.cursor_unsaved": BY_TERM, "lane.cursor_saved": BY_TERM, "lane.leaving": BY_TERM,
    "postgres.table_created": BY_NEW_TABLE, "postgres.index_created": BY_NEW_TABLE,
    "postgres.rows_unsent": BY_TRAFFIC,
    "postgres.rows_sent": BY_TRAFFIC, "postgres.cursor_sent": BY_TRAFFIC,
    "postgres.answer_unread": BY_TRAFFIC, "postgres.committed": BY_TRAFFIC,
    "sqlite.begun": BY_TRAFFIC, "sqlite.half_written": BY_TRAFFIC,
    "sqlite.rows_written": BY_TRAFFIC, "sqlite.cursor_written": BY_TRAFFIC,
    "sqlite.committed": BY_TRAFFIC,
    "file.written": BY_TRAFFIC, "file.synced": BY_TRAFFIC,
    "file.checkpoint_unrenamed": BY_TRAFFIC, "file.checkpoint_renamed": BY_TRAFFIC,
    "app.stopping": BY_TERM, "app.reloading": BY_HUP,
}


class FaultCase(Case):
    def under_load(self, per_second=200, **options):
        """A stage with bank, shop and bulk on three targets, traffic running, sums watched."""
        self.chance = random.Random(seed())
        # Who dies between attaching and connecting leaves a worker that waits for it this long.
        options.setdefault("settings", {})["fanout.attach_timeout"] = "1s"
        self.stage_ = stage = self.stage(start=False, **options)
        stage.daemon.options = list(SMALL)
        stage.daemon.start()
        self.generators = [stage.load(bank, self.chance.random()),
                           stage.load(shop, self.chance.random())]
        stage.shop.run("CREATE TABLE bulk (id bigserial PRIMARY KEY, run integer, data text)")
        stage.tables.append("public.bulk")
        for kind in KINDS:
            stage.subscribe(kind)
        for generator in self.generators:
            stage.fill(generator)
        self.watchers = stage.watch_sums()
        self.per_second = per_second
        self.runs = self.new_tables = 0
        self.go_on()
        return stage

    def go_on(self):
        self.running = [self.stage_.run_traffic(generator, self.per_second)
                        for generator in self.generators]

    def halt(self):
        for traffic in self.running:
            traffic.finish()

    def bulk(self, rows=3000):
        self.runs += 1
        self.stage_.shop.run("INSERT INTO bulk (run, data) SELECT %s, md5(g::text) "
                             "FROM generate_series(1, %s) g", (self.runs, rows))

    def new_table(self):
        self.new_tables += 1
        name = f"extra_{self.new_tables}"
        self.stage_.shop.run(f"CREATE TABLE {name} (id integer PRIMARY KEY); "
                             f"INSERT INTO {name} VALUES (1), (2)")
        self.stage_.shop.run(f"CREATE INDEX ON {name} (id DESC)")
        self.stage_.tables.append(f"public.{name}")

    def exact(self, what, seconds=90):
        """Everything equal, every commit in the file whole; the traffic goes on afterwards."""
        self.halt()
        rows = self.stage_.compare(on_commit=sum_at_every_commit, seconds=seconds)
        print(f"{what}: {rows} rows identical on all three", flush=True)
        self.stage_.shop.run("TRUNCATE bulk")  # so that the next comparison is quick
        self.go_on()

    def finished(self):
        self.halt()
        self.stage_.copy.close()
        self.stage_.compare(on_commit=sum_at_every_commit, seconds=90)
        snapshots = [watcher.finish() for watcher in self.watchers]
        for kind in KINDS:
            self.assertEqual(self.stage_.status(kind)["rows_dead_lettered"], 0)
        self.assertTrue(self.stage_.daemon.running())
        indexes = [database.run("SELECT tablename, indexdef FROM pg_indexes WHERE tablename ~ '^extra_' "
                                "ORDER BY 1, 2")
                   for database in (self.stage_.shop, self.stage_.copy)]
        self.assertEqual(*indexes)
        return snapshots

    def arm(self, faults):
        self.stage_.daemon.env = {"FANOUT_FAULTS": faults,
                                  "FANOUT_FAULT_DIR": self.stage_.folder} if faults else {}

    def start_armed(self, point, hit):
        for old in glob.glob(os.path.join(self.stage_.folder, "*.hit")):
            os.remove(old)
        faults = f"{point}:{hit}:crash"
        if point == "journal.half_appended":  # what cuts the append short, and the place after it
            faults = f"journal.append_half:{hit}:error;{point}:1:crash"
        self.arm(faults)
        self.stage_.daemon.start()

    def die_at(self, point, provocation):
        """Starts fanoutd, which dies at the point."""
        daemon = self.stage_.daemon
        few = {AT_START: 1, BY_TERM: 1, BY_HUP: 1, BY_NEW_TABLE: 1, BY_BULK: 2}
        self.start_armed(point, self.chance.randint(1, few.get(provocation, 12)))
        if provocation == BY_NEW_TABLE:
            self.new_table()
        elif provocation in (BY_TERM, BY_HUP):
            time.sleep(0.3 + self.chance.random() * 0.3)
            daemon.process.send(signal.SIGTERM if provocation == BY_TERM else signal.SIGHUP)
        began = time.monotonic()
        if provocation == BY_TERM and daemon.process.wait() == 0:
            # It left before it was at its targets, or in the middle of a large transaction.
            return self.die_at(point, provocation)
        while daemon.running() and time.monotonic() - began < 30:
            if provocation == BY_BULK:
                self.bulk(8000)  # a megabyte, a segment
                time.sleep(0.3)
            time.sleep(0.01)
        self.assertEqual(daemon.process.wait(1), -signal.SIGKILL,
                         f"{point} was not reached: {daemon.log_tail()}")
        self.assertTrue(os.path.exists(os.path.join(self.stage_.folder, f"{point}.hit")))
        return None

    def die_at_random(self):
        daemon = self.stage_.daemon
        self.arm("")
        daemon.start()
        time.sleep(self.chance.random() * self.chance.choice([0.05, 0.3, 0.8]))
        if self.chance.random() < 0.3:
            self.bulk()
        daemon.kill()

    def kill_runs(self, points, random_kills, per_comparison=12):
        """Kills fanoutd once at each of the points (a list) and so many times at random."""
        deaths = list(points) + [None] * random_kills
        self.chance.shuffle(deaths)
        self.stage_.daemon.kill()
        for number, point in enumerate(deaths, 1):
            if point is None:
                self.die_at_random()
            else:
                self.die_at(point, DAEMON_POINTS[point])
            if number % per_comparison == 0 or number == len(deaths):
                self.arm("")
                self.stage_.daemon.start()
                self.exact(f"{number} of {len(deaths)} kills")
                if number < len(deaths):
                    self.stage_.daemon.kill()
        return len(deaths)


def wait_server_back(stage):
    """After a crash of the source: until it answers again."""
    def answers():
        try:
            stage.shop.close()
            return stage.shop.value("SELECT 1") == 1
        except Exception:  # noqa: BLE001  any way of not being there
            return False
    wait_until("the source is back", answers)
