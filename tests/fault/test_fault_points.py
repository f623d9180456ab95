"""fanoutd is killed at every named place, the worker crashed and failed at every one of its own;
all three targets stay exactly equal to the source, and no reader sees a torn transaction."""
import os
import re
import signal
import time

import psycopg2

from fault_case import DAEMON_POINTS, FaultCase, wait_server_back
from fanout_test.case import main
from fanout_test.processes import wait_until

WORKER_POINTS = ["worker.slot_acquired", "worker.transaction_begun", "worker.space_claimed",
                 "worker.record_unpublished", "worker.published_silently", "worker.between_rows",
                 "worker.commit_published", "worker.ack_read", "worker.slot_confirmed",
                 "worker.ring_full"]


class Daemon(FaultCase):
    def test_killed_at_every_point(self):
        self.under_load()
        kills = self.kill_runs(DAEMON_POINTS, random_kills=21)
        self.assertGreaterEqual(kills, 60)
        for snapshots in self.finished():
            self.assertGreater(snapshots, 20)


class Worker(FaultCase):
    def marker(self, point, end):
        return os.path.join(self.stage_.source.data, f"pg_fanout.{point}.{end}")

    def end_workers(self):
        """Returns their process ids."""
        return self.stage_.shop.value(
            "SELECT coalesce(array_agg(pid) FILTER (WHERE pg_terminate_backend(pid)), '{}') "
            "FROM pg_stat_activity WHERE backend_type = 'pg_fanout worker'")

    def attached(self):
        """The workers that fanoutd has been attached to, one after another."""
        return [int(pid) for pid in re.findall(r"stream attached .*worker_pid=(\d+)",
                                               self.stage_.daemon.log_text())]

    def fill_the_ring(self):
        stage = self.stage_
        # A new worker has the setting from its start; others read it when they are idle.
        stage.source.reload()
        seen = len(self.attached())
        ended = self.end_workers()
        wait_until(lambda: f"fanoutd is attached to a new worker: {stage.explain()}",
                   lambda: set(self.attached()[seen:]) - set(ended))
        stage.daemon.process.send(signal.SIGSTOP)
        self.runs += 1
        stage.shop.run("INSERT INTO bulk (run, data) SELECT %s, repeat(md5(g::text), 40) FROM "
                       "generate_series(1, 40000) g; DELETE FROM bulk", (self.runs,))  # 50 MB

    def provoke(self, point):
        def reached():
            if os.path.exists(self.marker(point, "hit")):
                return True
            if point == "worker.slot_acquired":  # the next one has perhaps read the setting
                try:
                    self.end_workers()
                except psycopg2.Error:
                    self.stage_.shop.close()
            return False
        if point == "worker.ring_full":
            self.fill_the_ring()
        wait_until(f"{point} is reached", reached, pause=0.5)
        self.stage_.daemon.process.send(signal.SIGCONT)

    def fail_everywhere(self, action):
        stage = self.under_load()
        for number, point in enumerate(WORKER_POINTS, 1):
            hit = 1 if point in ("worker.slot_acquired", "worker.ring_full") else \
                self.chance.randint(1, 30)
            stage.shop.run("LOAD 'pg_fanout'")
            stage.shop.run(f"ALTER SYSTEM SET fanout.fault_point = '{point}:{hit}:{action}'")
            stage.shop.run("SELECT pg_reload_conf()")
            try:
                self.provoke(point)
            finally:
                stage.daemon.process.send(signal.SIGCONT)
            time.sleep(0.1)
            if action == "crash":
                wait_server_back(stage)
            if number == 5:
                self.exact(f"{number} worker points, {action}")
        self.finished()
        with open(stage.source.log_path, encoding="utf-8", errors="replace") as log:
            crashes = log.read().count("terminating any other active server processes")
        return crashes

    def test_crashes_at_every_point(self):
        self.assertEqual(self.fail_everywhere("crash"), len(WORKER_POINTS))

    def test_fails_at_every_point(self):
        self.assertEqual(self.fail_everywhere("error"), 0)


main()
