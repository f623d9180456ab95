"""scripts/bench backfill: copying rows that are there already.

The reading alone: fanoutd to `blackhole`, against as many psql that COPY BINARY to /dev/null. Into
an indexed table: fanoutd to `postgres`, against as many pipes of two psql, and native table sync.
Each with 1, 2 and 4 readers, of rows of ten columns and of a hundredth as many rows of 16 kB in
TOAST; with one reader also of a fifth as many rows found by a text in a linguistic collation. The rate counts from the request to its completion, the CPU is everybody's: both servers',
fanoutd's, psql's.
"""
import os
import subprocess
import threading
import time
from dataclasses import dataclass

from fanout_test import places
from fanout_test.processes import wait_until

from . import cpu, rows
from .ground import Ground, progress

ROWS = 1_000_000
WORKERS = (1, 2, 4)
GOAL_READ, GOAL_PIPE, GOAL_MB, GOAL_SECONDS = 0.9, 1.0, 64, 5
DEADLINE_SECONDS = 900


@dataclass
class Work:
    """A table to copy, and how it is called in the tables."""
    table: str
    shape: str
    count: int
    readers: tuple = WORKERS
    megabytes: float = 0

    def label(self, workers):
        return f"{workers} readers" + ("" if self.table == "wide" else ", " + self.table)


def run(report, options):
    count = options.rows or ROWS
    ground = Ground(target=True)
    works = [Work("wide", rows.TABLE, count), Work("toasted", rows.TOASTED, max(count // 100, 1)),
             Work("worded", rows.WORDED, max(count // 5, 1), (1,))]
    try:
        for work in works:
            ground.bench.run(work.shape)
        progress(f"writing {count:,} rows")
        rows.insert_at_once(ground.bench, count)
        rows.insert_toasted(ground.bench, works[1].count)
        ground.bench.run("INSERT INTO worded SELECT * FROM wide WHERE id <= %s", (works[2].count,))
        ground.bench.run("VACUUM ANALYZE wide, toasted, worded")
        ground.bench.run("SELECT fanout.start_stream('main')")
        ground.daemon.start()
        for work in works:
            work.megabytes = ground.bench.value("SELECT pg_table_size(%s) / 1048576.0",
                                                (work.table,))
            for number in range(1, options.runs + 1):
                for workers in work.readers:
                    _one_run(ground, report, work, number, workers)
    finally:
        ground.close()
    report.show("rows_per_s", "rows per second")
    report.show("mb_per_s", "MiB of the table per second")
    report.show("cpu_us_per_row", "CPU of all, microseconds per row")
    report.show("daemon_us_per_row", "CPU of fanoutd, microseconds per row")
    report.show("daemon_mb", "private memory of fanoutd, MiB")
    report.show("xact_s", "longest transaction of a reader, seconds")
    for work in works:
        for workers in work.readers:
            _goals(report, work.label(workers))


def _goals(report, label):
    report.goal(f"{label}: reading / COPY BINARY to /dev/null",
                report.paired("pg_fanout to blackhole", "COPY to /dev/null", label, "rows_per_s"),
                ">=", GOAL_READ)
    report.goal(f"{label}: to postgres / COPY BINARY pipes",
                report.paired("pg_fanout to postgres", "COPY BINARY pipes", label, "rows_per_s"),
                ">=", GOAL_PIPE)
    report.goal(f"{label}: memory of fanoutd, MiB",
                report.worst("pg_fanout to postgres", label, "daemon_mb"), "<=", GOAL_MB)
    report.goal(f"{label}: longest transaction, s",
                report.worst("pg_fanout to postgres", label, "xact_s"), "<=", GOAL_SECONDS)


def _one_run(ground, report, work, number, workers):
    label, tag = work.label(workers), f"{work.table}_{number}_{workers}"
    report.add("COPY to /dev/null", label, **_psql(ground, work, workers, None))
    report.add("pg_fanout to blackhole", label,
               **_fanout(ground, work, f"hole_{tag}", "blackhole", {}, workers))
    pipe = ground.target.create_database(f"pipe_{tag}")
    pipe.run(work.shape)
    report.add("COPY BINARY pipes", label, **_psql(ground, work, workers, pipe))
    _drop(ground, pipe)
    ours = ground.target.create_database(f"ours_{tag}")
    ours.run(work.shape)
    report.add("pg_fanout to postgres", label,
               **_fanout(ground, work, f"copy_{tag}", "postgres", {"dsn": ours.dsn()}, workers))
    _must_have(ours, work)
    _drop(ground, ours)
    if workers == 1:
        native = ground.target.create_database(f"native_{tag}")
        native.run(work.shape)
        report.add("native table sync", label, **_native(ground, work, native))
        _must_have(native, work)
        _drop(ground, native)


class _Clock:
    """What a copy takes: time, and the CPU of both servers and of whoever is between: all are
    children of this process."""

    def __init__(self, ground):
        self.all = cpu.TreeWatch(os.getpid())
        self.ours = cpu.Watch(ground.daemon.process.pid)
        self.python = cpu.Watch(os.getpid())
        self.started = time.monotonic()

    def figures(self, work):
        seconds = time.monotonic() - self.started
        # The bench's own looking on is nobody's work.
        used = self.all.us() - self.python.us()
        return dict(rows=work.count, rows_per_s=work.count / seconds,
                    mb_per_s=float(work.megabytes) / seconds, cpu_us_per_row=used / work.count)


def _drop(ground, database):
    database.close()
    ground.target.run(f'DROP DATABASE "{database.name}" WITH (FORCE)')


def _must_have(database, work):
    """A figure for lost rows is worth nothing."""
    if database.value(f"SELECT count(*) FROM {work.table}") != work.count:
        raise RuntimeError(f"{database.name} does not have {work.count} rows")


class _Watcher(threading.Thread):
    """The longest transaction of a reader, and the largest memory of fanoutd."""

    def __init__(self, ground):
        super().__init__(daemon=True)
        self.ground, self.longest, self.memory = ground, 0.0, 0.0
        self.stop_asked = threading.Event()

    def run(self):
        connection = self.ground.bench.connect()
        with connection.cursor() as cursor:
            while not self.stop_asked.wait(0.05):
                cursor.execute("""SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)
                    FROM pg_stat_activity WHERE application_name = 'fanoutd'
                        AND backend_xmin IS NOT NULL""")
                self.longest = max(self.longest, float(cursor.fetchone()[0]))
                self.memory = max(self.memory,
                                  cpu.rss_private_mb(self.ground.daemon.process.pid) or 0)
        connection.close()


def _fanout(ground, work, name, connector, options, workers):
    watcher = _Watcher(ground)
    watcher.start()
    clock = _Clock(ground)
    ground.subscribe(name, connector, options, backfill=True, table=work.table, workers=workers)
    ground.wait_for(name)
    figures = clock.figures(work)
    figures["daemon_us_per_row"] = clock.ours.us() / work.count
    watcher.stop_asked.set()
    watcher.join()
    ground.unsubscribe(name)
    return dict(figures, daemon_mb=watcher.memory, xact_s=watcher.longest)


def _native(ground, work, database):
    ground.bench.run(f"CREATE PUBLICATION {database.name} FOR TABLE {work.table}")
    clock = _Clock(ground)
    database.run(f"CREATE SUBSCRIPTION {database.name} CONNECTION '{ground.bench.dsn()}' "
                 f"PUBLICATION {database.name} WITH (binary = true)")
    wait_until("native has copied", lambda: database.value(
        "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), DEADLINE_SECONDS, 0.02)
    figures = clock.figures(work)
    database.run(f"DROP SUBSCRIPTION {database.name}")
    return figures


def _psql(ground, work, workers, database):
    """As many psql as there are readers, each with its part of the keys."""
    def command(server, name, sql):
        return places.as_server([server.program("psql"), "-X", "-q", "-h", server.folder, "-p",
                                 str(server.port), "-U", "postgres", "-d", name, "-c", sql])
    share = -(-work.count // workers)
    clock = _Clock(ground)
    with open(os.devnull, "wb") as nowhere:
        ends = []
        for part in range(workers):
            reader = subprocess.Popen(command(
                ground.source, "bench", f"COPY (SELECT * FROM {work.table} WHERE "
                f"id > {part * share} AND id <= {(part + 1) * share}) TO STDOUT BINARY"), cwd="/",
                stdout=nowhere if database is None else subprocess.PIPE)
            ends.append(reader)
            if database is not None:
                ends.append(subprocess.Popen(command(ground.target, database.name,
                                                     f"COPY {work.table} FROM STDIN BINARY"),
                                             stdin=reader.stdout, cwd="/"))
        if any(end.wait() != 0 for end in ends):
            raise RuntimeError("a psql failed")
    return clock.figures(work)
