"""A server with the extension and the stream main, and consumers that attach to its worker."""
import os
import subprocess
import time

from fanout_test import places
from fanout_test.case import Case
from fanout_test.postgres import Postgres
from fanout_test.processes import DEADLINE_SECONDS, wait_until

RING_DUMP = os.path.join(places.BUILD, "bin", "ring_dump")
SLOT = "fanout_main"


class Consumer:
    """A running ring_dump; its lines so far can be read at any time."""

    def __init__(self, folder, socket, token, *options):
        self.path = os.path.join(folder, f"consumer-{time.monotonic_ns()}.out")
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                [RING_DUMP, "--socket", socket, "--token", token, "--seconds", str(DEADLINE_SECONDS),
                 *map(str, options)],
                stdout=out, stderr=subprocess.STDOUT)

    def text(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self, start):
        return [line for line in self.text().splitlines() if line.startswith(start)]

    def end(self, seconds=2 * DEADLINE_SECONDS):
        """Waits for it; the exit code."""
        return self.process.wait(seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()


class WorkerCase(Case):
    settings = {"autovacuum": "off"}  # what it writes would wake a worker that is to be idle

    def setUp(self):
        self.folder = places.scratch()
        self.server = Postgres(self.folder, "source", self.settings).start()
        self.addCleanup(self.server.remove)
        self.shop = self.server.create_database("shop")
        self.addCleanup(self.shop.close)
        self.addCleanup(self.show_log)
        self.shop.run("CREATE EXTENSION pg_fanout")
        self.shop.run("INSERT INTO fanout.connector_def (name, version, summary) "
                      "VALUES ('blackhole', '1', 'test') ON CONFLICT DO NOTHING")
        self.shop.run("SELECT fanout.create_target('hole', 'blackhole', '{}')")
        self.shop.run("SELECT fanout.start_stream('main')")
        self.shop.run("CREATE TABLE t (id integer PRIMARY KEY, note text)")
        self.subscribe("all", ["public.*"])
        self.consumers = []
        self.addCleanup(self.end_consumers)

    def show_log(self):
        outcome = self._outcome.result
        if any(test is self for test, _ in outcome.failures + outcome.errors):
            with open(self.server.log_path, encoding="utf-8", errors="replace") as file:
                print(file.read()[-6000:])
            for consumer in self.consumers:
                print(consumer.text()[-3000:])

    def end_consumers(self):
        for consumer in self.consumers:
            consumer.kill()

    def subscribe(self, name, patterns, user=None):
        self.shop.run("SELECT fanout.create_subscription(%s, 'hole', %s)", (name, patterns),
                      user=user)

    def attach(self, *options, start=None, token=None):
        """Starts the worker and a consumer of it."""
        row = self.shop.row("SELECT * FROM fanout.attach('main', %s, 'test')", (start,))
        self.attached = row
        consumer = Consumer(self.folder, row["socket_path"], token or row["token"], *options)
        self.consumers.append(consumer)
        return consumer

    def set_setting(self, name, value):
        """A session knows the extension's settings once it has loaded the library."""
        self.shop.run("LOAD 'pg_fanout'")
        self.shop.run(f"ALTER SYSTEM SET {name} = {value}")
        self.server.reload()

    def slot(self):
        return self.shop.row("SELECT * FROM pg_replication_slots WHERE slot_name = %s", (SLOT,))

    def wait_free(self, seconds=DEADLINE_SECONDS):
        wait_until("the slot is free", lambda: not self.slot()["active"], seconds)

    def wait_lines(self, consumer, start, count=1):
        wait_until(f"{count} lines of {start}", lambda: len(consumer.lines(start)) >= count)
        return consumer.lines(start)

    def now(self):
        """Where WAL ends, as a decimal number for ring_dump."""
        return int(self.shop.value("SELECT fanout.normalize_lsn(pg_current_wal_lsn()) - '0/0'"))

    def log_has(self, text):
        with open(self.server.log_path, encoding="utf-8", errors="replace") as file:
            return text in file.read()
