"""fanoutd as a process: how it starts, refuses, reloads and leaves."""
import glob
import os
import shutil
import subprocess
import time
import unittest

from fanout_test import places, shop
from fanout_test.case import Case, main
from fanout_test.daemon import Daemon
from fanout_test.processes import wait_until


class Command(Case):
    def run_it(self, *arguments):
        return subprocess.run([places.fanoutd(), *arguments], capture_output=True, text=True,
                              timeout=30, check=False, stdin=subprocess.DEVNULL)

    def test_help_is_for_people(self):
        done = self.run_it("--help")
        self.assertEqual(done.returncode, 0)
        for text in ("--source", "--state-dir", "Example", "SIGTERM"):
            self.assertIn(text, done.stdout)

    def test_missing_and_unknown_settings_are_named(self):
        done = self.run_it("--state-dir", "/tmp/x")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--source", done.stderr)
        done = self.run_it("--source", "dbname=x")
        self.assertIn("--state-dir", done.stderr)
        done = self.run_it("--sauce", "dbname=x")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--help", done.stderr)

    def test_a_state_directory_that_cannot_be_written(self):
        folder = places.scratch()
        path = os.path.join(folder, "file")
        with open(path, "w", encoding="utf-8"):
            pass
        done = self.run_it("--source", "dbname=x", "--state-dir", path + "/state")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(path, done.stderr)


class Life(Case):
    def one_table(self, stage):
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, note text)")
        stage.tables.append("public.t")

    def test_waits_for_a_source_that_is_not_there_yet(self):
        stage = self.stage(start=False)
        self.one_table(stage)
        stage.subscribe("file", ["public.t"])
        stage.source.stop()
        stage.daemon.start()
        wait_until("it says so", lambda: stage.source.folder in stage.daemon.log_text())
        self.assertTrue(stage.daemon.running())
        stage.source.start()
        stage.shop.close()
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.compare("file")

    def test_sigterm_delivers_what_it_has_and_leaves(self):
        stage = self.stage()
        generator = stage.load(shop, seed=11)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind)
        stage.fill(generator)
        traffic = stage.run_traffic(generator)
        for _ in range(3):
            time.sleep(0.7)
            begun = time.monotonic()
            self.assertEqual(stage.daemon.stop(), 0, stage.daemon.log_tail())
            self.assertLess(time.monotonic() - begun, 30)
            self.assertFalse(stage.slot()["active"])
            stage.daemon.start()
        traffic.finish()
        stage.compare()

    def test_sighup_reloads_and_keeps_delivering(self):
        folder = places.scratch()
        config = os.path.join(folder, "fanoutd.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write('log_level = "info"\n')
        stage = self.stage(start=False)
        self.one_table(stage)
        stage.daemon.options = ["--config", config]
        stage.daemon.start()
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.wait_for("file")
        with open(config, "w", encoding="utf-8") as file:
            file.write('log_level = "debug"\n')
        stage.daemon.reload()
        stage.shop.run("INSERT INTO t VALUES (2, 'b')")
        self.assertEqual(stage.compare("file"), 2)
        before = stage.daemon.log_text()
        with open(config, "w", encoding="utf-8") as file:
            file.write("log_level = nonsense\n")
        stage.daemon.reload()
        wait_until("the bad file is named", lambda: config in stage.daemon.log_text()[len(before):])
        stage.shop.run("INSERT INTO t VALUES (3, 'c')")
        self.assertEqual(stage.compare("file"), 3)

    def test_the_state_directory_has_one_daemon(self):
        stage = self.stage()
        self.one_table(stage)
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.wait_for("file")
        second = Daemon(stage.folder, stage.shop.dsn(), name="second")
        second.state = stage.daemon.state
        second.start()
        self.assertNotEqual(second.process.wait(20), 0)
        self.assertIn(stage.daemon.state, second.log_text())
        self.assertIn(str(stage.daemon.process.pid), second.log_text())
        stage.shop.run("INSERT INTO t VALUES (2, 'b')")
        self.assertEqual(stage.compare("file"), 2)

    def test_a_second_daemon_with_its_own_state_does_not_double(self):
        stage = self.stage()
        generator = stage.load(shop, seed=12)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind)
        stage.fill(generator)
        traffic = stage.run_traffic(generator, per_second=100)
        time.sleep(0.5)
        second = Daemon(stage.folder, stage.shop.dsn(), name="second")
        second.start()
        time.sleep(2)
        traffic.finish()
        if second.running():
            second.stop()
        stage.compare()

    def test_the_state_of_another_source_is_refused(self):
        stage = self.stage()
        self.one_table(stage)
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.wait_for("file")
        stage.daemon.stop()
        other = stage.target.create_database("other")
        other.run("CREATE EXTENSION pg_fanout")
        other.run("SELECT fanout.start_stream()")
        other.close()
        stranger = Daemon(stage.folder, other.dsn(), name="stranger")
        stranger.state = stage.daemon.state
        stranger.start()
        self.assertNotEqual(stranger.process.wait(20), 0)
        self.assertIn(stage.daemon.state, stranger.log_text())
        self.assertIn("another", stranger.log_text())
        stage.daemon.start()
        stage.shop.run("INSERT INTO t VALUES (2, 'b')")
        self.assertEqual(stage.compare("file"), 2)


class Journal(Case):
    """The journal damaged on disk while nobody looks."""

    def prepared(self):
        """A stage with a stopped daemon whose journal holds what one lane has not delivered."""
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, note text)")
        stage.tables.append("public.t")
        stage.subscribe("postgres", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (0, 'first')")
        stage.wait_for("postgres")
        stage.shop.run("SELECT fanout.pause_subscription('postgres')")
        stage.wait_state("postgres", "paused")
        for number in range(1, 200):
            stage.shop.run("INSERT INTO t VALUES (%s, repeat('x', 200))", (number,))
        lsn = stage.shop.value("SELECT pg_current_wal_insert_lsn()")
        wait_until("the journal has it", lambda: stage.shop.value(
            "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots", (lsn,)))
        stage.daemon.stop()
        segments = sorted(glob.glob(os.path.join(stage.daemon.state, "streams", "main", "journal",
                                                 "*.seg")))
        self.assertTrue(segments, stage.daemon.state)
        return stage, segments[-1]

    def test_damage_in_the_middle_is_loud_and_nothing_wrong_is_delivered(self):
        stage, segment = self.prepared()
        with open(segment, "r+b") as file:
            data = file.read()
            # The repeated text of the rows is certain to be inside records.
            at = data.index(b"x" * 100, len(data) // 4 if b"x" * 100 in data[len(data) // 4:] else 0)
            file.seek(at)
            file.write(b"y" * 8)
        stage.daemon.start()
        stage.shop.run("SELECT fanout.resume_subscription('postgres')")

        def loud():
            row = stage.shop.row("SELECT state, error FROM fanout.streams")
            return row["state"] == "failed" and row["error"]

        def blames_the_damage():
            error = wait_until(lambda: f"it is loud: {stage.explain()}", loud)
            row = stage.wait_state("postgres", "failed")
            for text in (error, row["last_error"]):
                for part in (segment, "offset", "checksum", "damaged", "cut off", "resync"):
                    self.assertIn(part, text)
                self.assertNotIn("somebody else", text)
        blames_the_damage()
        # What was cut is information, as after every crash; that it had been acknowledged is not.
        errors = [line for line in stage.daemon.log_text().splitlines()
                  if " error stream stopped" in line and segment in line]
        self.assertTrue(errors, stage.daemon.log_tail())
        # The cut journal looks whole to the next start, which must still know.
        stage.daemon.stop()
        stage.daemon.start()
        blames_the_damage()
        self.assertEqual(stage.copy.value("SELECT count(*) FROM t WHERE note LIKE '%%y%%'"), 0)

    def test_a_journal_that_was_deleted_is_not_silent(self):
        stage, _ = self.prepared()
        for path in glob.glob(os.path.join(stage.daemon.state, "streams", "main", "journal", "*")):
            os.remove(path)
        stage.daemon.start()
        stage.shop.run("SELECT fanout.resume_subscription('postgres')")
        stage.shop.run("INSERT INTO t VALUES (1000, 'later')")
        row = stage.wait_state("postgres", "needs_resync", "failed")
        self.assertTrue(row["last_error"])
        self.assertEqual(stage.copy.value("SELECT count(*) FROM t WHERE id = 1000"), 0)


    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_a_failed_fsync_ends_the_daemon_and_nothing_is_lost(self):
        stage = self.stage(start=False)
        generator = stage.load(shop, seed=13)
        stage.daemon.start()
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind)
        stage.fill(generator)
        stage.wait_for("postgres", "sqlite", "file")
        traffic = stage.run_traffic(generator, per_second=100)
        journal = os.path.join(stage.daemon.state, "streams", "main", "journal")
        segment = sorted(glob.glob(os.path.join(journal, "*.seg")))[-1]
        with open(os.path.join(stage.folder, "strace.log"), "wb") as log:
            tracer = subprocess.Popen(
                ["strace", "-f", "-p", str(stage.daemon.process.pid), "-P", segment,
                 "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO:when=3"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.assertEqual(stage.daemon.process.wait(30), 74, stage.daemon.log_tail())
        finally:
            tracer.terminate()
            tracer.wait(10)
        self.assertIn(segment, stage.daemon.log_text())
        self.assertIn("Input/output error", stage.daemon.log_text())
        stage.daemon.start()
        traffic.finish()
        stage.compare()


class Quiet(Case):
    def test_idle_costs_nothing(self):
        stage = self.stage(settings={"autovacuum": "off"})
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.tables.append("public.t")
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1)")
        stage.compare()
        worker = stage.slot()["active_pid"]

        def worker_cpu():
            with open(f"/proc/{worker}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        time.sleep(3)
        lsn = stage.shop.value("SELECT pg_current_wal_insert_lsn()")
        before = stage.daemon.process.cpu_seconds(), worker_cpu()
        time.sleep(6)
        after = stage.daemon.process.cpu_seconds(), worker_cpu()
        self.assertLess(after[0] - before[0], 0.1, "fanoutd, CPU seconds in 6 s")
        self.assertLess(after[1] - before[1], 0.1, "the worker, CPU seconds in 6 s")
        moved = stage.shop.value("SELECT pg_current_wal_insert_lsn() - %s", (lsn,))
        self.assertLess(moved, 2000, "bytes of WAL written while nothing happened")


main()
