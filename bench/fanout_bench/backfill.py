"""scripts/bench backfill: copying rows that are there already.

The reading alone: fanoutd to `blackhole`, against as many psql that COPY BINARY to /dev/null. Into
an indexed table: fanoutd to `postgres`, against as many pipes of two psql, and native table sync.
Each with 1, 2 and 4 readers. The rate counts from the request to its completion.
"""
import os
import subprocess
import threading
import time

from fanout_test import places
from fanout_test.processes import wait_until

from . import cpu, rows
from .ground import Ground, progress

ROWS = 1_000_000
WORKERS = (1, 2, 4)
GOAL_READ, GOAL_PIPE, GOAL_MB, GOAL_SECONDS = 0.9, 1.0, 64, 5
DEADLINE_SECONDS = 900


def run(report, options):
    count = options.rows or ROWS
    ground = Ground(target=True)
    try:
        ground.bench.run(rows.TABLE)
        progress(f"writing {count:,} rows")
        rows.insert_at_once(ground.bench, count)
        ground.bench.run("VACUUM ANALYZE wide")
        ground.bench.run("CREATE PUBLICATION bench FOR TABLE wide")
        ground.bench.run("SELECT fanout.start_stream('main')")
        ground.daemon.start()
        for number in range(1, options.runs + 1):
            for workers in WORKERS:
                _one_run(ground, report, count, number, workers)
    finally:
        ground.close()
    report.show("rows_per_s", "rows per second")
    report.show("daemon_mb", "private memory of fanoutd, MiB")
    report.show("xact_s", "longest transaction of a reader, seconds")
    for workers in WORKERS:
        work = f"{workers} readers"
        report.goal(f"{work}: reading / COPY BINARY to /dev/null",
                    report.paired("pg_fanout to blackhole", "COPY to /dev/null", work,
                                  "rows_per_s"), ">=", GOAL_READ)
        report.goal(f"{work}: to postgres / COPY BINARY pipes",
                    report.paired("pg_fanout to postgres", "COPY BINARY pipes", work, "rows_per_s"),
                    ">=", GOAL_PIPE)
        report.goal(f"{work}: memory of fanoutd, MiB",
                    report.worst("pg_fanout to postgres", work, "daemon_mb"), "<=", GOAL_MB)
        report.goal(f"{work}: longest transaction, s",
                    report.worst("pg_fanout to postgres", work, "xact_s"), "<=", GOAL_SECONDS)


def _one_run(ground, report, count, number, workers):
    work = f"{workers} readers"
    report.add("COPY to /dev/null", work, **_psql(ground, count, workers, None))
    report.add("pg_fanout to blackhole", work,
               **_fanout(ground, count, f"hole_{number}_{workers}", "blackhole", {}, workers))
    pipe = ground.target.create_database(f"pipe_{number}_{workers}")
    pipe.run(rows.TABLE)
    report.add("COPY BINARY pipes", work, **_psql(ground, count, workers, pipe))
    _drop(ground, pipe)
    ours = ground.target.create_database(f"ours_{number}_{workers}")
    ours.run(rows.TABLE)
    report.add("pg_fanout to postgres", work,
               **_fanout(ground, count, f"copy_{number}_{workers}", "postgres",
                         {"dsn": ours.dsn()}, workers))
    _must_have(ours, count)
    _drop(ground, ours)
    if workers == 1:
        native = ground.target.create_database(f"native_{number}")
        native.run(rows.TABLE)
        report.add("native table sync", work, **_native(ground, count, native))
        _must_have(native, count)
        _drop(ground, native)


def _drop(ground, database):
    database.close()
    ground.target.run(f'DROP DATABASE "{database.name}" WITH (FORCE)')


def _must_have(database, count):
    """A figure for lost rows is worth nothing."""
    if database.value("SELECT count(*) FROM wide") != count:
        raise RuntimeError(f"{database.name} does not have {count} rows")


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


def _fanout(ground, count, name, connector, options, workers):
    watcher = _Watcher(ground)
    watcher.start()
    used = cpu.Watch(ground.daemon.process.pid)
    started = time.monotonic()
    ground.subscribe(name, connector, options, backfill=True, workers=workers)
    ground.wait_for(name)
    seconds = time.monotonic() - started
    figures = dict(rows=count, rows_per_s=count / seconds, cpu_us_per_row=used.us() / count)
    watcher.stop_asked.set()
    watcher.join()
    ground.unsubscribe(name)
    return dict(figures, daemon_mb=watcher.memory, xact_s=watcher.longest)


def _native(ground, count, database):
    started = time.monotonic()
    database.run(f"CREATE SUBSCRIPTION native CONNECTION '{ground.bench.dsn()}' PUBLICATION bench "
                 "WITH (binary = true)")
    wait_until("native has copied", lambda: database.value(
        "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), DEADLINE_SECONDS, 0.02)
    seconds = time.monotonic() - started
    database.run("DROP SUBSCRIPTION native")
    return dict(rows=count, rows_per_s=count / seconds)


def _psql(ground, count, workers, database):
    """As many psql as there are readers, each with its part of the keys."""
    def command(server, name, sql):
        return places.as_server([server.program("psql"), "-X", "-q", "-h", server.folder, "-p",
                                 str(server.port), "-U", "postgres", "-d", name, "-c", sql])
    share = -(-count // workers)
    started = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        ends = []
        for part in range(workers):
            reader = subprocess.Popen(command(
                ground.source, "bench", f"COPY (SELECT * FROM wide WHERE id > {part * share} AND "
                f"id <= {(part + 1) * share}) TO STDOUT BINARY"), cwd="/",
                stdout=nowhere if database is None else subprocess.PIPE)
            ends.append(reader)
            if database is not None:
                ends.append(subprocess.Popen(command(ground.target, database.name,
                                                     "COPY wide FROM STDIN BINARY"),
                                             stdin=reader.stdout, cwd="/"))
        if any(end.wait() != 0 for end in ends):
            raise RuntimeError("a psql failed")
    return dict(rows=count, rows_per_s=count / (time.monotonic() - started))
