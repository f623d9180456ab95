"""The servers and the daemon that the measures run on: real settings, fsync on."""
import json
import os
import sys
import time

from fanout_test import places
from fanout_test.daemon import Daemon
from fanout_test.postgres import Postgres
from fanout_test.processes import wait_until

from . import cpu, rows
from .held import Memory

SETTINGS = {
    "fsync": "on", "shared_buffers": "1GB", "autovacuum": "off", "max_wal_size": "20GB",
    "checkpoint_timeout": "1h", "max_wal_senders": "50", "max_replication_slots": "50",
    "max_worker_processes": "50", "wal_sender_timeout": "0", "logical_decoding_work_mem": "256MB",
    "output_plugin_libraries":
        "'pgoutput, test_decoding, pg_fanout, fanout_null, wal2json, decoderbufs'",
}


class Ground:
    """A source with one database `bench`, and what a measure asks for besides."""

    def __init__(self, target=False, **settings):
        self.folder = places.scratch("fanout-bench-")
        self.source = Postgres(self.folder, "source", {**SETTINGS, **settings}).start()
        self.bench = self.source.create_database("bench")
        self.bench.run("CREATE EXTENSION pg_fanout")
        self.target = self.copy = None
        if target:
            self.target = Postgres(self.folder, "target", dict(SETTINGS)).start()
            self.copy = self.target.create_database("copy")
        self.daemon = Daemon(self.folder, self.bench.dsn())

    def has_plugin(self, name):
        return os.path.exists(os.path.join(places.postgres_bin(), "..", "lib", name + ".so"))

    def fill(self, workload, count):
        """Writes `count` rows of WAL of that workload; the tables exist already."""
        if workload == "insert":
            first = self.bench.value("SELECT coalesce(max(id), 0) + 1 FROM wide")
            rows.insert(self.bench, first, count)
            return count
        if workload == "update":
            rows.update(self.bench, 1, count)
            return count
        rows.pgbench(self.source, self.bench, count // 4)
        return count

    def tables(self, workload, count):
        if workload == "pgbench":
            rows.pgbench_tables(self.source, self.bench)
            return
        self.bench.run(rows.TABLE)
        if workload == "update":
            rows.insert(self.bench, 1, count)

    def publish(self, workload):
        """For the peers: the publication `bench` of that workload's tables."""
        self.bench.run("CREATE PUBLICATION bench FOR TABLE "
                       + ", ".join(rows.PGBENCH if workload == "pgbench" else ("wide",)))

    # ---- slots of the peers

    def create_slot(self, name, plugin):
        self.bench.run("SELECT pg_create_logical_replication_slot(%s, %s)", (name, plugin))

    def drop_slot(self, name):
        self.bench.run("SELECT pg_drop_replication_slot(%s)", (name,))

    # ---- pg_fanout

    def subscribe(self, name, connector, options, stream="main", backfill=False, table="*", **more):
        self.bench.run("SELECT fanout.create_target(%s, %s, %s)",
                       (name, connector, json.dumps(options)))
        self.bench.run("SELECT fanout.create_subscription(%s, %s, ARRAY['public.' || %s], %s, %s)",
                       (name, name, table, json.dumps({**more, "backfill": backfill}), stream))

    def unsubscribe(self, name):
        self.bench.run("SELECT fanout.drop_subscription(%s)", (name,))
        self.bench.run("SELECT fanout.drop_target(%s)", (name,))

    def wait_for(self, subscription):
        """Until everything that has been committed is at the target."""
        if not self.bench.value("SELECT fanout.wait_for(%s, timeout => '10 min')",
                                (subscription,)):
            raise RuntimeError(f"{subscription} did not catch up\n" + self.daemon.log_tail())

    def worker_pid(self, stream="main"):
        return self.bench.value(
            "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'fanout_' || %s",
            (stream,))

    def catch_up(self, subscription):
        """Starts fanoutd on what is waiting in the WAL and stops the clock when it is delivered.

        Returns wall seconds, CPU microseconds and largest private memory of worker and fanoutd.
        """
        started = time.monotonic()
        self.daemon.start()
        wait_until("the worker runs", self.worker_pid, 60, pause=0.002)
        worker, daemon = self.worker_pid(), self.daemon.process.pid
        with Memory(worker=worker, daemon=daemon) as memory:
            self.wait_for(subscription)
            seconds = time.monotonic() - started
        return Caught(seconds, cpu.cpu_us(worker), cpu.cpu_us(daemon), memory.largest["worker"],
                      memory.largest["daemon"])

    def close(self):
        if self.daemon.running():
            self.daemon.stop()
        for server in (self.source, self.target):
            if server:
                server.stop("immediate")
                server.remove()


class Caught:
    def __init__(self, seconds, worker_us, daemon_us, worker_mb, daemon_mb):
        self.seconds, self.worker_us, self.daemon_us = seconds, worker_us, daemon_us
        self.worker_mb, self.daemon_mb = worker_mb, daemon_mb


def progress(text):
    print(text, file=sys.stderr, flush=True)
