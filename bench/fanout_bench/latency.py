"""scripts/bench latency: from the commit at the source to the row being readable at the target.

A writer commits single-row transactions at a fixed rate and notes when COMMIT returned; a reader asks
the target for new rows without pause and notes when it first sees each. Same clock, same machine.
"""
import multiprocessing
import os
import statistics
import time

import psycopg2

from . import cpu
from .apply import Fanout, Native
from .ground import Ground, progress

SECONDS = 20
RATE = 200
IDLE_SECONDS = 10
GOAL_P99_MS = 5.0


def _write(dsn, first, seconds, pipe):
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    commits = {}
    with connection.cursor() as cursor:
        start = time.monotonic()
        for number in range(int(seconds * RATE)):
            pause = start + number / RATE - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            cursor.execute("INSERT INTO tick VALUES (%s)", (first + number,))
            commits[first + number] = time.monotonic()
    pipe.send(commits)


def _read(dsn, first, last, pipe):
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    seen = {}
    deadline = time.monotonic() + SECONDS * 10
    with connection.cursor() as cursor:
        cursor.execute("PREPARE ask(int8) AS SELECT id FROM tick WHERE id > $1 ORDER BY id")
        while first <= last and time.monotonic() < deadline:
            cursor.execute("EXECUTE ask(%s)", (first - 1,))
            found = cursor.fetchall()
            now = time.monotonic()
            for (number,) in found:
                seen[number] = now
                first = number + 1
    pipe.send(seen)


def _percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _one_run(ground, database, first, seconds):
    last = first + int(seconds * RATE) - 1
    results = []
    processes = []
    for target, arguments in ((_read, (database.dsn(), first, last)),
                              (_write, (ground.bench.dsn(), first, seconds))):
        mine, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(target=target, args=(*arguments, theirs))
        process.start()
        processes.append(process)
        results.append(mine)
    seen, commits = (pipe.recv() for pipe in results)
    for process in processes:
        process.join()
    if len(seen) != len(commits):
        raise RuntimeError(f"{len(commits) - len(seen)} rows never arrived")
    return [max(0.0, (seen[number] - commits[number]) * 1000) for number in commits], last + 1


def run(report, options):
    seconds = options.rows or SECONDS
    ground = Ground(target=True)
    try:
        _measure(ground, report, seconds, options.runs)
    finally:
        ground.close()
    report.show("p50_ms", f"milliseconds, half of the commits, {RATE} transactions/s", Native.name)
    report.show("p99_ms", "milliseconds, 99 of 100 commits", Native.name)
    report.show("path_us", "CPU microseconds per transaction of everyone on the way", Native.name)
    report.goal("p50, pg_fanout / native, median of the runs' ratios",
                report.paired(Fanout.name, Native.name, "insert", "p50_ms"), "<=", 1.0)
    report.goal("p99 of pg_fanout, ms, median of the runs",
                statistics.median(report.values(Fanout.name, "insert", "p99_ms")), "<=", GOAL_P99_MS)


def _measure(ground, report, seconds, runs):
    table = "CREATE TABLE tick (id int8 PRIMARY KEY)"
    ground.bench.run(table)
    ground.bench.run("CREATE PUBLICATION bench FOR TABLE tick")
    first = 1
    for contestant_class in (Native, Fanout) * runs:
        name = contestant_class.__name__.lower()
        database = ground.target.create_database(f"{name}_{first}")
        database.run(table)
        contestant = contestant_class(ground, database)
        contestant.prepare()
        contestant.catch_up()
        progress(f"{contestant.name}: {seconds} s at {RATE} transactions/s")
        watch = cpu.Watch(*contestant.processes())
        delays, first = _one_run(ground, database, first, seconds)
        report.add(contestant.name, "insert", rows=len(delays), p50_ms=_percentile(delays, 0.5),
                   p99_ms=_percentile(delays, 0.99), path_us=watch.us() / len(delays))
        if contestant_class is Fanout:
            _idle(ground, report)
        contestant.finish()


def _idle(ground, report):
    """Nothing happens: neither the daemon nor the worker may use the processor."""
    time.sleep(2)
    watch = cpu.Watch(ground.worker_pid(), ground.daemon.process.pid)
    time.sleep(IDLE_SECONDS)
    report.note(f"idle for {IDLE_SECONDS} s: worker and fanoutd together used "
                f"{watch.us() / 1000:.2f} ms of CPU")
