"""The source is not what it was, or fanoutd is not alone or has forgotten: an older copy of the
server, a copy that runs beside it, a state directory that is gone, a second and a frozen daemon."""
import os
import shutil
import signal
import time

from fanout_test import bank, places, shop
from fanout_test.case import Case, main
from fanout_test.daemon import Daemon
from fanout_test.postgres import Postgres
from fanout_test.processes import wait_until
from fanout_test.stage import KINDS, sum_at_every_commit


class Copies(Case):
    def setUp(self):
        self.stage_ = stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, note text)")
        stage.tables.append("public.t")
        for kind in KINDS:
            stage.subscribe(kind, ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'before the copy')")
        stage.compare()

    def copy_source(self):
        """The data directory as it is now, the server stopped; fanoutd as well."""
        stage = self.stage_
        stage.daemon.stop()
        stage.shop.close()
        stage.source.stop()
        copy = os.path.join(stage.source.folder, "copy")
        shutil.copytree(stage.source.data, copy, symlinks=True, copy_function=self.copy_file)
        self.give(copy)
        stage.source.start()
        stage.daemon.start()
        return copy

    @staticmethod
    def copy_file(source, target):
        shutil.copy2(source, target)
        places.give_to_server(target)

    @staticmethod
    def give(folder):
        for path, _, _ in os.walk(folder):
            places.give_to_server(path)

    def restore(self, copy):
        stage = self.stage_
        stage.daemon.stop()
        stage.shop.close()
        stage.source.stop()
        shutil.rmtree(stage.source.data)
        os.rename(copy, stage.source.data)
        stage.source.start()

    def write_far_ahead(self):
        """So much that a copy, which writes a little when it starts, stays behind."""
        for _ in range(20):
            self.stage_.shop.run("SELECT pg_logical_emit_message(true, 'x', repeat('x', 1000000))")

    def target_ids(self):
        return [row[0] for row in self.stage_.copy.run("SELECT id FROM t ORDER BY id")]

    def stream_says(self, *texts):
        stage = self.stage_

        def shown():
            error = stage.shop.value("SELECT error FROM fanout.streams") or ""
            return all(text in error for text in texts)
        wait_until(lambda: f"the stream says {texts}: {stage.explain()}", shown)

    def refused_after_restore(self, write_on):
        stage = self.stage_
        copy = self.copy_source()
        stage.shop.run("INSERT INTO t VALUES (2, 'only before the restore')")
        stage.compare()
        ended = stage.shop.value("SELECT pg_current_wal_flush_lsn()")
        self.restore(copy)
        stage.shop.run("INSERT INTO t VALUES (3, 'only after it')")
        while write_on and stage.shop.value("SELECT pg_current_wal_flush_lsn() <= %s", (ended,)):
            stage.shop.run("SELECT pg_logical_emit_message(true, 'x', repeat('x', 1000000))")
        stage.daemon.start()
        self.stream_says("source_rewound", "fanoutd has changes up to", "this server")
        for kind in KINDS:
            row = stage.wait_state(kind, "failed")
            self.assertIn("source_rewound", row["last_error"])
        time.sleep(1)
        self.assertEqual(self.target_ids(), [1, 2], "nothing of the copy is applied")
        self.assertTrue(stage.daemon.running())

    def test_an_older_copy(self):
        self.refused_after_restore(write_on=False)

    def test_an_older_copy_that_has_written_past_the_journal(self):
        self.refused_after_restore(write_on=True)

    def test_an_older_copy_and_no_state_directory(self):
        stage = self.stage_
        copy = self.copy_source()
        self.write_far_ahead()
        stage.shop.run("INSERT INTO t VALUES (2, 'only before the restore')")
        stage.compare()
        self.restore(copy)
        shutil.rmtree(stage.daemon.state)
        stage.shop.run("DELETE FROM t")
        stage.daemon.start()
        for kind in ("postgres", "sqlite", "file"):
            row = stage.wait_state(kind, "failed")
            self.assertIn("source_rewound: the target has changes up to", row["last_error"])
            self.assertIn("the source only goes up to", row["last_error"])
        self.assertEqual(self.target_ids(), [1, 2])

    def test_a_clone_that_runs_beside_the_source(self):
        stage = self.stage_
        copy = self.copy_source()
        self.write_far_ahead()
        stage.shop.run("INSERT INTO t VALUES (2, 'of the source')")
        stage.compare()
        clone = Postgres(stage.folder, "clone")
        self.addCleanup(clone.remove)
        with open(os.path.join(clone.data, "postgresql.conf"), encoding="utf-8") as file:
            settings = file.read()
        shutil.rmtree(clone.data)
        os.rename(copy, clone.data)
        with open(os.path.join(clone.data, "postgresql.conf"), "w", encoding="utf-8") as file:
            file.write(settings)
        clone.start()
        clone.run("DELETE FROM t", database="shop")
        second = Daemon(stage.folder, clone.dsn("shop"), name="second")
        second.start()
        self.addCleanup(second.kill)

        def refused():
            rows = clone.run("SELECT last_error FROM fanout.subscriptions", database="shop")
            # The file is held by the source's own fanoutd, which is as good.
            return all("source_rewound: the target has changes up to" in (row[0] or "")
                       or "is locked by another writer" in (row[0] or "") for row in rows)
        wait_until(lambda: f"the clone is refused: {second.log_text()}", refused)
        self.assertEqual(self.target_ids(), [1, 2])


class Daemons(Case):
    def loaded(self):
        stage = self.stage()
        self.generators = [stage.load(bank, 1), stage.load(shop, 2)]
        for kind in KINDS:
            stage.subscribe(kind)
        for generator in self.generators:
            stage.fill(generator)
        self.watchers = stage.watch_sums()
        self.running = [stage.run_traffic(generator, 150) for generator in self.generators]
        return stage

    def exact(self, stage):
        for traffic in self.running:
            traffic.finish()
        stage.compare(on_commit=sum_at_every_commit, seconds=90)
        for watcher in self.watchers:
            self.assertGreater(watcher.finish(), 10)

    def test_a_frozen_daemon_wakes_up_and_is_fenced(self):
        stage = self.loaded()
        time.sleep(1)
        frozen = stage.daemon
        frozen.process.send(signal.SIGSTOP)
        time.sleep(1)  # what is committed now waits for it in the ring
        stage.daemon = Daemon(stage.folder, stage.shop.dsn(), name="second")
        stage.shop.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                       "WHERE active_pid IS NOT NULL")
        stage.daemon.start()
        self.addCleanup(frozen.kill)
        wait_until(lambda: "the second is at work: " + stage.daemon.log_tail(), lambda: all(
            text in stage.daemon.log_text() for text in (
                "stream attached", "lane at its target subscription=postgres")))
        time.sleep(1)
        frozen.process.send(signal.SIGCONT)
        wait_until(lambda: "it notices: " + frozen.log_tail(),
                   lambda: "newer fanoutd" in frozen.log_text())
        frozen.kill()
        for traffic in self.running:
            traffic.finish()
        # Of the journal that froze with the first, the second has nothing. If a lane had not
        # delivered all of it, that has to be said; otherwise everything is there.
        states = {kind: stage.wait_state(kind, "streaming", "needs_resync")["state"]
                  for kind in KINDS}
        print(states, flush=True)
        stage.compare(*[kind for kind in KINDS if states[kind] == "streaming"],
                      on_commit=sum_at_every_commit, seconds=90)
        for watcher in self.watchers:
            watcher.finish()

    def test_the_state_directory_is_lost_after_a_clean_stop(self):
        stage = self.loaded()
        time.sleep(1)
        for traffic in self.running:
            traffic.finish()
        stage.wait_for(*KINDS)
        stage.shop.run("SELECT pg_logical_emit_message(true, 'noise', repeat('x', 100000))")
        time.sleep(0.5)  # keepalives move the slot
        stage.daemon.stop()
        shutil.rmtree(stage.daemon.state)
        self.running = [stage.run_traffic(generator, 150) for generator in self.generators]
        stage.daemon.start()
        time.sleep(1)
        self.exact(stage)


main()
