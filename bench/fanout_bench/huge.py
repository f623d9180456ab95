"""scripts/bench huge: one transaction of 10 million rows (--rows), to `blackhole`, `file` and `postgres`.

What counts is memory: the worker spills the transaction, the ring holds 16 MiB of it, the journal
takes it as it comes, lanes read it from there in parts. Once through for each; all read the same WAL.
"""
import os

from .ground import Ground, progress
from .held import Stream
from .rows import TABLE, insert_at_once

ROWS = 10_000_000
BLACKHOLE, FILE, POSTGRES = (f"pg_fanout to {kind}" for kind in ("blackhole", "file", "postgres"))
GOAL_WORKER_MB, GOAL_DAEMON_MB = 256, 128


def run(report, options):
    count = options.rows or ROWS
    ground = Ground(target=True, fsync="off")  # of the source, while the WAL is written
    try:
        for database in (ground.bench, ground.copy):
            database.run(TABLE)
        path = os.path.join(ground.folder, "changes.jsonl")
        ground.daemon.start()
        streams = {BLACKHOLE: Stream(ground, "blackhole", "blackhole"),
                   FILE: Stream(ground, "file", "file", {"path": path}),
                   POSTGRES: Stream(ground, "postgres", "postgres", {"dsn": ground.copy.dsn()})}
        for stream in streams.values():
            stream.hold()
        progress(f"one transaction of {count:,} rows")
        insert_at_once(ground.bench, count)
        for name, stream in streams.items():
            report.add(name, "insert", **stream.read(count))
            stream.drop()
        if ground.copy.value("SELECT count(*) FROM wide") != count:
            raise RuntimeError("the target does not have the rows")
        ground.daemon.stop()
    finally:
        ground.close()
    report.show("rows_per_s", "rows per second")
    report.show("cpu_us_per_row", "CPU microseconds per row, server and consumer")
    for figure, whose, limit in (("worker_mb", "worker", GOAL_WORKER_MB),
                                 ("daemon_mb", "fanoutd", GOAL_DAEMON_MB)):
        report.show(figure, f"largest private memory of {whose}, MiB")
        report.goal(f"largest private memory of {whose}, MiB",
                    max(report.worst(name, "insert", figure) for name in streams),
                    "<=", limit)
