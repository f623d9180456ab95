"""The decoding worker in its server: ended, cancelled, held back; the database under it dropped."""
import random
import signal
import time

import psycopg2

from fanout_test import shop
from fanout_test.case import Case, main, seed
from fanout_test.processes import wait_until


class Worker(Case):
    def worker_pid(self, stage):
        return wait_until("the stream's worker runs", lambda: (stage.slot() or {})["active_pid"])

    def test_terminated_and_cancelled_at_random(self):
        chance = random.Random(seed())
        stage = self.stage()
        generator = stage.load(shop, seed=31)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind)
        stage.fill(generator)
        traffic = stage.run_traffic(generator, per_second=200)
        ended = 0
        for _ in range(16):
            time.sleep(chance.random() * 0.6)
            pid = (stage.slot() or {})["active_pid"]
            if pid:
                how = chance.choice(["pg_terminate_backend", "pg_cancel_backend"])
                stage.shop.run(f"SELECT {how}(%s)", (pid,))
                ended += 1
        self.assertGreater(ended, 3)
        traffic.finish()
        stage.compare()
        self.assertTrue(stage.daemon.running())

    def full_ring(self, mode_of_end):
        """The consumer is stopped, the ring is full and the worker waits; then something ends it."""
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, data text)")
        stage.tables.append("public.t")
        stage.subscribe("file", ["public.t"])
        stage.wait_state("file", "streaming")
        pid = self.worker_pid(stage)
        stage.daemon.process.send(signal.SIGSTOP)
        try:
            stage.shop.run("INSERT INTO t SELECT g, repeat(md5(g::text), 40) "
                           "FROM generate_series(1, 40000) g")  # 50 MB: more than the ring
            time.sleep(1.5)
            self.assertEqual(stage.slot()["active_pid"], pid, "it waits, it does not fail")
            begun = time.monotonic()
            mode_of_end(stage, pid)
            self.assertLess(time.monotonic() - begun, 30, "it leaves at once")
        finally:
            stage.daemon.process.send(signal.SIGCONT)
        return stage

    def test_full_ring_and_terminate(self):
        def end(stage, pid):
            stage.shop.run("SELECT pg_terminate_backend(%s)", (pid,))
            wait_until("it is gone", lambda: stage.slot()["active_pid"] != pid)
        self.assertEqual(self.full_ring(end).compare("file"), 40000)

    def test_full_ring_and_fast_shutdown(self):
        def end(stage, _):
            stage.shop.close()
            stage.source.stop("fast")
            stage.source.start()
        self.assertEqual(self.full_ring(end).compare("file"), 40000)

    def test_full_ring_costs_no_cpu(self):
        import os

        def end(_, pid):
            def ticks():
                with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                return int(fields[11]) + int(fields[12])
            before = ticks()
            time.sleep(3)
            self.assertLess((ticks() - before) / os.sysconf("SC_CLK_TCK"), 0.15)
        self.assertEqual(self.full_ring(end).compare("file"), 40000)

    def test_drop_database(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("file", ["public.t"])
        stage.wait_state("file", "streaming")
        stage.shop.close()
        with self.assertRaises(psycopg2.Error):
            stage.source.run('DROP DATABASE "shop" WITH (FORCE)')
        stage.shop.run("SELECT fanout.stop_stream('main', drop_slot => true)")
        stage.shop.close()
        stage.source.run('DROP DATABASE "shop" WITH (FORCE)')
        time.sleep(1)
        self.assertTrue(stage.daemon.running(), "it goes on trying, whatever happens")
        self.assertEqual(stage.source.value("SELECT count(*) FROM pg_replication_slots"), 0)

    def test_drop_extension_names_what_is_left(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("file", ["public.t"])
        stage.wait_state("file", "streaming")
        connection = stage.shop.connect()
        with connection.cursor() as cursor:
            cursor.execute("DROP EXTENSION pg_fanout CASCADE")
        self.assertIn("fanout_main", "".join(connection.notices))
        self.assertIn("pg_drop_replication_slot", "".join(connection.notices))
        connection.close()
        wait_until("the worker is gone", lambda: not stage.slot()["active"])
        stage.shop.run("SELECT pg_drop_replication_slot('fanout_main')")
        stage.shop.run("CREATE EXTENSION pg_fanout")
        self.assertEqual(stage.shop.value("SELECT count(*) FROM fanout.subscriptions"), 0)
        self.assertTrue(stage.source.process.running())

    def test_a_client_that_vanishes_releases_the_slot(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("file", ["public.t"])
        stage.wait_state("file", "streaming")
        stage.daemon.kill()
        wait_until("the slot is free", lambda: not stage.slot()["active"])


main()
