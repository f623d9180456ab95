"""The source server: stopped in every way, its slot tampered with, its settings missing."""
import time

from fanout_test import shop
from fanout_test.case import Case, main
from fanout_test.processes import wait_until

KINDS = ("postgres", "sqlite", "file")
# A server that waits for us waits for ever; the rest is how fast the machine is.
AT_ONCE_SECONDS = 30


class Stops(Case):
    def loaded(self, seed):
        stage = self.stage()
        generator = stage.load(shop, seed=seed)
        for kind in KINDS:
            stage.subscribe(kind)
        stage.fill(generator)
        return stage, stage.run_traffic(generator, per_second=300)

    def restart(self, mode):
        stage, traffic = self.loaded(seed=21)
        time.sleep(1)
        if mode == "smart":  # waits for clients: those of the test have to go first
            traffic.finish()
            stage.shop.close()
        begun = time.monotonic()
        stage.source.stop(mode)
        took = time.monotonic() - begun
        stage.source.start()
        stage.shop.close()
        if mode != "smart":
            time.sleep(1)
            traffic.finish()
        self.assertGreater(stage.compare(), 50)
        self.assertTrue(stage.daemon.running())
        return took

    def test_immediate(self):
        self.restart("immediate")

    def test_fast_does_not_wait_for_us(self):
        self.assertLess(self.restart("fast"), AT_ONCE_SECONDS)

    def test_smart_does_not_wait_for_us(self):
        self.assertLess(self.restart("smart"), AT_ONCE_SECONDS)

    def test_restart_while_no_daemon_runs(self):
        stage, traffic = self.loaded(seed=22)
        time.sleep(0.5)
        stage.daemon.kill()
        time.sleep(0.5)
        stage.source.restart("immediate")
        stage.shop.close()
        stage.daemon.start()
        traffic.finish()
        stage.compare()


class Slot(Case):
    def one_table(self, stage, *kinds):
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, note text)")
        stage.tables.append("public.t")
        for kind in kinds:
            stage.subscribe(kind, ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.wait_for(*kinds)

    def stream_complains(self, stage, *texts):
        def shown():
            row = stage.shop.row("SELECT to_jsonb(s) AS s FROM fanout.streams s")
            return all(text in str(row["s"]) for text in texts)
        wait_until(lambda: f"the stream shows {texts}: {stage.explain()}", shown)

    def test_advances_while_only_other_tables_write(self):
        stage = self.stage()
        self.one_table(stage, "file")
        stage.shop.run("CREATE SCHEMA other CREATE TABLE noise (data text)")
        for _ in range(10):
            stage.shop.run("INSERT INTO other.noise SELECT repeat(md5(g::text), 50) "
                           "FROM generate_series(1, 2000) g")
        wait_until(lambda: f"the slot follows: {stage.slot()}", lambda: stage.shop.value(
            "SELECT pg_current_wal_lsn() - confirmed_flush_lsn < 1000000 "
            "AND pg_current_wal_lsn() - restart_lsn < 40000000 FROM pg_replication_slots"))
        self.assertEqual(stage.compare("file"), 1)

    def test_dropped_behind_our_back(self):
        stage = self.stage()
        self.one_table(stage, "file")
        stage.daemon.stop()
        stage.shop.run("INSERT INTO t VALUES (2, 'lost from the slot')")
        stage.shop.run("SELECT pg_drop_replication_slot('fanout_main')")
        stage.daemon.start()
        self.stream_complains(stage, "slot_lost")
        self.assertEqual(stage.wait_state("file", "needs_resync")["state"], "needs_resync")
        time.sleep(2)
        self.assertEqual(stage.shop.value("SELECT count(*) FROM pg_replication_slots"), 0,
                         "a slot is never made behind the user's back")
        self.assertTrue(stage.daemon.running())

    def test_recreated_under_the_same_name(self):
        stage = self.stage()
        self.one_table(stage, "file")
        stage.daemon.stop()
        stage.shop.run("INSERT INTO t VALUES (2, 'lost from the slot')")
        stage.shop.run("SELECT pg_drop_replication_slot('fanout_main')")
        stage.shop.run("SELECT pg_create_logical_replication_slot('fanout_main', 'pg_fanout')")
        stage.daemon.start()
        self.stream_complains(stage, "slot_ahead")
        stage.shop.run("INSERT INTO t VALUES (3, 'must not arrive')")
        time.sleep(1)
        with open(stage.file_path, encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), 1)

    def test_advanced_by_someone_else(self):
        stage = self.stage()
        self.one_table(stage, "file")
        stage.daemon.stop()
        stage.shop.run("INSERT INTO t VALUES (2, 'skipped by someone')")
        stage.shop.run("SELECT pg_replication_slot_advance('fanout_main', pg_current_wal_lsn())")
        stage.daemon.start()
        self.stream_complains(stage, "slot_ahead")

    def test_in_use_by_someone_else_is_retried(self):
        stage = self.stage()
        self.one_table(stage, "file")
        stage.daemon.stop()
        holder = stage.shop.connect()
        # A session that holds the slot: it waits in its transaction after reading from it.
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_logical_slot_peek_changes('fanout_main', NULL, NULL)")
        stage.shop.run("INSERT INTO t VALUES (2, 'b')")
        stage.daemon.start()
        holder.close()
        self.assertEqual(stage.compare("file"), 2)

    def test_stop_stream_and_start_stream(self):
        stage = self.stage()
        self.one_table(stage, "file")
        stage.shop.run("SELECT fanout.stop_stream('main')")
        self.assertFalse(stage.slot()["active"])
        stage.shop.run("INSERT INTO t VALUES (2, 'b')")
        time.sleep(0.5)
        self.assertFalse(stage.slot()["active"])
        stage.shop.run("SELECT fanout.start_stream('main')")
        self.assertEqual(stage.compare("file"), 2)


class Settings(Case):
    def test_plugin_taken_off_the_list_and_put_back(self):
        stage = self.stage()
        if not stage.source.knows_plugin_list():
            self.skipTest("this minor version has no output_plugin_libraries")
        Slot.one_table(self, stage, "file")
        stage.source.set_plugins("pgoutput, test_decoding")
        stage.daemon.stop()
        stage.daemon.start()
        Slot.stream_complains(self, stage, "output_plugin_libraries")
        stage.shop.run("INSERT INTO t VALUES (2, 'b')")
        stage.source.set_plugins("pgoutput, test_decoding, pg_fanout")
        self.assertEqual(stage.compare("file"), 2)

    def test_no_free_background_worker(self):
        stage = self.stage(start=False, settings={"max_worker_processes": "1"})
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, note text)")
        stage.tables.append("public.t")
        stage.subscribe("file", ["public.t"])
        stage.daemon.start()  # the launcher of logical replication has the only place
        Slot.stream_complains(self, stage, "max_worker_processes")
        self.assertTrue(stage.daemon.running())

    def test_wal_level_replica_is_named(self):
        stage = self.stage(install=False, settings={"wal_level": "replica"})
        stage.shop.run("CREATE EXTENSION pg_fanout")
        self.refused(lambda: stage.shop.run("SELECT fanout.start_stream()"), "wal_level",
                     sqlstate="55000")

    def test_no_free_slot_is_named(self):
        stage = self.stage(install=False, settings={"max_replication_slots": "1"})
        stage.shop.run("CREATE EXTENSION pg_fanout")
        stage.shop.run("SELECT pg_create_physical_replication_slot('other')")
        self.refused(lambda: stage.shop.run("SELECT fanout.start_stream()"),
                     "max_replication_slots")


main()
