"""The PostgreSQL target goes away in every way while rows flow: stopped, its sessions terminated at
random (also in the middle of a commit, when the answer is lost), its disk file locked."""
import random
import sqlite3
import time

from fanout_test import bank, shop
from fanout_test.case import Case, main, seed
from fanout_test.stage import sum_at_every_commit


class TargetBroken(Case):
    def loaded(self, chance, *kinds):
        stage = self.stage()
        generators = [stage.load(bank, chance.random()), stage.load(shop, chance.random())]
        for kind in kinds:
            stage.subscribe(kind)
        for generator in generators:
            stage.fill(generator)
        watchers = stage.watch_sums()
        return stage, generators, watchers

    def finished(self, stage, running, watchers, *kinds):
        for traffic in running:
            traffic.finish()
        stage.copy.close()
        rows = stage.compare(*kinds, on_commit=sum_at_every_commit)
        for watcher in watchers:
            watcher.finish()
        self.assertGreater(rows, 100)
        self.assertTrue(stage.daemon.running())

    def test_sessions_terminated_at_random(self):
        chance = random.Random(seed())
        stage, generators, watchers = self.loaded(chance, "postgres", "file")
        running = [stage.run_traffic(generator, per_second=250) for generator in generators]
        ended = 0
        # The lane's back-off grows with every failure, so how long ten take is a matter of luck.
        deadline = time.monotonic() + 90
        while ended < 10 and time.monotonic() < deadline:
            time.sleep(chance.random() * 0.25)
            ended += stage.target.value(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = 'copy' AND pid <> pg_backend_pid() "
                "AND application_name LIKE %s", ("%fanout%",))
        self.assertGreaterEqual(ended, 10, "sessions of fanoutd found at the target")
        self.finished(stage, running, watchers, "postgres", "file")

    def test_down_and_back_again_and_again(self):
        chance = random.Random(seed())
        stage, generators, watchers = self.loaded(chance, "postgres", "sqlite", "file")
        running = [stage.run_traffic(generator, per_second=200) for generator in generators]
        for _ in range(6):
            time.sleep(chance.random() * 0.8)
            stage.target.stop(chance.choice(["immediate", "fast"]))
            time.sleep(chance.random() * 0.8)
            stage.target.start()
        self.finished(stage, running, watchers, "postgres", "sqlite", "file")

    def test_sqlite_file_locked_by_somebody(self):
        chance = random.Random(seed())
        stage, generators, watchers = self.loaded(chance, "sqlite")
        running = [stage.run_traffic(generator, per_second=200) for generator in generators]
        time.sleep(1)
        for hold_seconds in (0.5, 7):  # within the connector's patience, and beyond it
            connection = sqlite3.connect(stage.sqlite_path, timeout=30, isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(hold_seconds)
            connection.execute("ROLLBACK")
            connection.close()
        self.finished(stage, running, watchers, "sqlite")


main()
