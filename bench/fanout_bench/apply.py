"""scripts/bench apply: catching up a backlog into PostgreSQL.

Native logical replication (binary = on), pg_fanout with one target connection, and for inserts the
limit: a pipe of two psql that copies the same rows in binary. Each has a database of its own on the
same target server, with the same table and primary key.
"""
import os
import subprocess
import time

from fanout_test import places
from fanout_test.processes import wait_until

from . import cpu, rows
from .ground import Ground, progress

ROWS = 500_000
PGBENCH = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")


# Rows per second, our own in proportion to theirs.
GOALS_NATIVE = {"insert": 1.6, "update": 1.0, "pgbench": 4.0}
GOAL_PIPE, GOAL_MB = 0.95, 64
PIPE = "COPY BINARY pipe"


class Native:
    name = "native, binary = on"
    memory = {}

    def __init__(self, ground, database):
        self.ground, self.database = ground, database

    def prepare(self):
        self.ground.create_slot("native", "pgoutput")
        self.database.run(f"""CREATE SUBSCRIPTION native CONNECTION '{self.ground.bench.dsn()}'
            PUBLICATION bench WITH (create_slot = false, slot_name = 'native', enabled = false,
                                    copy_data = false, binary = true)""")

    def processes(self):
        """Those on the way of a change, once it has caught up."""
        return (self.ground.bench.value(
            "SELECT pid FROM pg_stat_replication WHERE application_name = 'native'"),
                self.database.value("SELECT pid FROM pg_stat_subscription WHERE pid IS NOT NULL"))

    def catch_up(self):
        end = self.ground.bench.value("SELECT pg_current_wal_flush_lsn()")
        state = """SELECT pid, flush_lsn >= %s AS done FROM pg_stat_replication
                   WHERE application_name = 'native'"""
        started = time.monotonic()
        self.database.run("ALTER SUBSCRIPTION native ENABLE")
        wait_until("native is connected", lambda: self.ground.bench.row(state, (end,)), 30, 0.005)
        sender = self.ground.bench.row(state, (end,))["pid"]
        wait_until("native has everything", lambda: self.ground.bench.row(state, (end,))["done"],
                   900, 0.02)
        seconds = time.monotonic() - started
        apply = self.database.value("SELECT pid FROM pg_stat_subscription WHERE pid IS NOT NULL")
        return seconds, cpu.cpu_us(sender) + cpu.cpu_us(apply), cpu.cpu_us(apply)

    def finish(self):
        self.database.run("ALTER SUBSCRIPTION native DISABLE")
        self.database.run("DROP SUBSCRIPTION native")


class Fanout:
    name = "pg_fanout, one connection"

    def __init__(self, ground, database):
        self.ground, self.database = ground, database

    def prepare(self):
        self.ground.subscribe("copy", "postgres", {"dsn": self.database.dsn()})

    def backend(self):
        return self.database.value("""SELECT pid FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE '%fanout%'
              AND pid <> pg_backend_pid() LIMIT 1""")

    def processes(self):
        return self.ground.worker_pid(), self.ground.daemon.process.pid, self.backend()

    def catch_up(self):
        caught = self.ground.catch_up("copy")
        backend = self.backend()
        target = cpu.cpu_us(backend) if backend else 0
        self.memory = dict(worker_mb=caught.worker_mb, daemon_mb=caught.daemon_mb)
        return caught.seconds, caught.worker_us + caught.daemon_us + target, target

    def finish(self):
        self.ground.daemon.stop()
        self.ground.unsubscribe("copy")


def _pipe(ground, database, first, count):
    """COPY BINARY of the rows that were just written, from the source's table into the target's."""
    def psql(server, name, command):
        return places.as_server([server.program("psql"), "-X", "-q", "-h", server.folder, "-p",
                                 str(server.port), "-U", "postgres", "-d", name, "-c", command])
    started = time.monotonic()
    reader = subprocess.Popen(psql(
        ground.source, "bench", f"COPY (SELECT * FROM wide WHERE id >= {first}) TO STDOUT BINARY"),
        stdout=subprocess.PIPE, cwd="/")
    subprocess.run(psql(ground.target, database.name, "COPY wide FROM STDIN BINARY"),
                   stdin=reader.stdout, check=True, cwd="/")
    if reader.wait() != 0:
        raise RuntimeError("the reading side of the pipe failed")
    return dict(rows=count, rows_per_s=count / (time.monotonic() - started))


def run(report, options):
    count = options.rows or ROWS
    for workload in options.workloads or ("insert", "update", "pgbench"):
        ground = Ground(target=True)
        try:
            _measure(ground, report, workload, count, options.runs)
        finally:
            ground.close()
    report.show("rows_per_s", "rows per second", Native.name)
    report.show("cpu_us_per_row", "CPU microseconds per row, both servers and the daemon",
                Native.name)
    report.show("target_us_per_row", "of it the target's", Native.name)
    for workload in dict.fromkeys(workload for _, workload in report.runs):
        for against, goal in ((Native.name, GOALS_NATIVE[workload]), (PIPE, GOAL_PIPE)):
            if report.values(against, workload, "rows_per_s"):
                report.goal(f"{workload}: rows/s, pg_fanout / {against}, median of the runs' ratios",
                            report.paired(Fanout.name, against, workload, "rows_per_s"), ">=", goal)
        for who, figure in (("fanoutd", "daemon_mb"), ("the worker", "worker_mb")):
            report.goal(f"{workload}: largest private memory of {who}, MiB",
                        report.worst(Fanout.name, workload, figure), "<=", GOAL_MB)


def _same_tables(ground, database, workload):
    """The target starts as a copy of the source's tables."""
    if workload == "pgbench":
        rows.pgbench_tables(ground.target, database)
    else:
        database.run(rows.TABLE)


def _measure(ground, report, workload, count, runs):
    ground.tables(workload, count)
    ground.bench.run("CREATE PUBLICATION bench FOR TABLE "
                     + (", ".join(PGBENCH) if workload == "pgbench" else "wide"))
    native = ground.target.create_database("native")
    ours = ground.target.create_database("ours")
    pipe = ground.target.create_database("pipe")
    for database in (native, ours, pipe):
        _same_tables(ground, database, workload)
        if workload == "update":
            _pipe(ground, database, 1, count)
    for number in range(1, runs + 1):
        first = ground.bench.value("SELECT coalesce(max(id), 0) + 1 FROM wide") \
            if workload == "insert" else 1
        contestants = [Native(ground, native), Fanout(ground, ours)]
        for contestant in contestants:
            contestant.prepare()
        progress(f"{workload}, run {number} of {runs}: writing {count:,} rows")
        done = ground.fill(workload, count)
        for contestant in contestants if number % 2 else reversed(contestants):
            seconds, used, target = contestant.catch_up()
            report.add(contestant.name, workload, rows=done, rows_per_s=done / seconds,
                       cpu_us_per_row=used / done, target_us_per_row=target / done,
                       **contestant.memory)
            contestant.finish()
        if workload == "insert":
            report.add(PIPE, workload, **_pipe(ground, pipe, first, done))
        _must_be_equal(native, ours, workload)


def _must_be_equal(native, ours, workload):
    """A figure for a wrong copy is worth nothing."""
    for table in PGBENCH[:3] if workload == "pgbench" else ("wide",):
        question = f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t"
        if native.row(question) != ours.row(question):
            raise RuntimeError(f"{table} differs between native and pg_fanout")
