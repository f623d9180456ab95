"""Readers of the WAL that are attached and caught up, and then held (SIGSTOP) while the next WAL is
written. Let go, they have all of it before them, and neither their start nor the writing is in the
figures. Every reader of a run meets the same WAL that way, one after another.
"""
import os
import signal
import threading
import time

from fanout_test import places
from fanout_test.processes import Process, wait_until

from . import cpu

# What an idle worker or walsender waits for: nothing that others could need is in its hands then.
IDLE = ("Extension", "Activity", "Client")
CATCH_UP_SECONDS = 600


def _hold(ground, pid):
    def held():
        os.kill(pid, signal.SIGSTOP)
        wait = ground.bench.value(
            "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", (pid,))
        if wait in IDLE:
            return True
        os.kill(pid, signal.SIGCONT)
        return False
    wait_until(f"process {pid} of the server is idle", held, 30)


class Memory:
    """The largest private memory of some processes while the block runs, in MiB: a look every 20 ms.
    File-backed pages (the journal, the programs) and the shared ring are not in it."""

    def __init__(self, **pids):
        self.pids = pids
        self.largest = dict.fromkeys(pids, 0.0)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while True:
            for name, pid in self.pids.items():
                self.largest[name] = max(self.largest[name], cpu.rss_private_mb(pid) or 0.0)
            if self._done.wait(0.02):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


class Stream:
    """A stream of its own with one subscription; the daemon runs already."""

    def __init__(self, ground, name, connector, options=None):
        self.ground, self.name = ground, name
        ground.bench.run("SELECT fanout.start_stream(%s)", (name,))
        ground.subscribe(name, connector, options or {}, stream=name)

    def hold(self):
        self.ground.wait_for(self.name)
        self.worker = self.ground.worker_pid(self.name)
        _hold(self.ground, self.worker)

    def read(self, rows):
        """Lets go; the figures of the way to the target."""
        daemon = self.ground.daemon.process.pid
        server, consumer = cpu.Watch(self.worker), cpu.Watch(daemon)
        with Memory(worker=self.worker, daemon=daemon) as memory:
            started = time.monotonic()
            os.kill(self.worker, signal.SIGCONT)
            self.ground.wait_for(self.name)
            seconds = time.monotonic() - started
        server_us, consumer_us = server.us(), consumer.us()
        return dict(rows=rows, cpu_us_per_row=(server_us + consumer_us) / rows,
                    server_us_per_row=server_us / rows, rows_per_s=rows / seconds,
                    rss_max_mb=max(memory.largest.values()),
                    worker_mb=memory.largest["worker"], daemon_mb=memory.largest["daemon"])

    def drop(self):
        self.ground.unsubscribe(self.name)
        self.ground.bench.run("SELECT fanout.stop_stream(%s, drop_slot => true)", (self.name,))


class Walsender:
    """pgoutput, sent by a walsender to pg_recvlogical, which writes into /dev/null."""

    def __init__(self, ground, name):
        self.ground, self.name = ground, name
        ground.create_slot(name, "pgoutput")
        self.client = Process(f"pg_recvlogical {name}", places.as_server(
            [ground.source.program("pg_recvlogical"), "-h", ground.source.folder, "-p",
             str(ground.source.port), "-U", "postgres",
             "-d", f"dbname=bench application_name={name}", "-S", name, "--start",
             "-f", "/dev/null", "-F", "0", "-s", "1", "-o", "proto_version=1", "-o",
             "publication_names=bench", "-o", "binary=true"]),
            os.path.join(ground.folder, f"{name}.log"))
        wait_until("pg_recvlogical is connected", lambda: self._state("pid"), 30, 0.005)
        self.pid = self._state("pid")

    def _state(self, what, *arguments):
        return self.ground.bench.value(
            f"SELECT {what} FROM pg_stat_replication WHERE application_name = %s",
            (*arguments, self.name))

    def hold(self):
        _hold(self.ground, self.pid)

    def read(self, rows):
        end = self.ground.bench.value("SELECT pg_current_wal_flush_lsn()")
        server, consumer = cpu.Watch(self.pid), cpu.Watch(self.client.pid)
        with Memory(walsender=self.pid) as memory:
            started = time.monotonic()
            os.kill(self.pid, signal.SIGCONT)
            wait_until("pg_recvlogical has everything",
                       lambda: self._state("sent_lsn >= %s", end), CATCH_UP_SECONDS, 0.02)
            seconds = time.monotonic() - started
        server_us, consumer_us = server.us(), consumer.us()
        return dict(rows=rows, cpu_us_per_row=(server_us + consumer_us) / rows,
                    server_us_per_row=server_us / rows, rows_per_s=rows / seconds,
                    rss_max_mb=memory.largest["walsender"])

    def drop(self):
        self.client.stop()
        wait_until("the walsender is gone", lambda: not self._state("pid"), 30)
        self.ground.drop_slot(self.name)
