"""scripts/bench huge: one transaction of 10 million rows (--rows), to `blackhole` and to `file`.

What counts is memory: the worker spills the transaction, the ring holds 16 MiB of it, the journal
takes it as it comes, lanes read it from there in parts. Once through for each; both read the same WAL.
"""
import os

from .ground import Ground, progress
from .held import Stream
from .rows import TABLE, insert_at_once

ROWS = 10_000_000
BLACKHOLE, FILE = "pg_fanout to blackhole", "pg_fanout to file"
GOAL_WORKER_MB, GOAL_DAEMON_MB = 256, 128


def run(report, options):
    count = options.rows or ROWS
    ground = Ground(fsync="off")  # of the source, while the WAL is written
    try:
        ground.bench.run(TABLE)
        path = os.path.join(ground.folder, "changes.jsonl")
        ground.daemon.start()
        streams = {BLACKHOLE: Stream(ground, "blackhole", "blackhole"),
                   FILE: Stream(ground, "file", "file", {"path": path})}
        for stream in streams.values():
            stream.hold()
        progress(f"one transaction of {count:,} rows")
        insert_at_once(ground.bench, count)
        for name, stream in streams.items():
            report.add(name, "insert", **stream.read(count))
            stream.drop()
        ground.daemon.stop()
    finally:
        ground.close()
    report.show("rows_per_s", "rows per second")
    report.show("cpu_us_per_row", "CPU microseconds per row, server and consumer")
    for figure, whose, limit in (("worker_mb", "worker", GOAL_WORKER_MB),
                                 ("daemon_mb", "fanoutd", GOAL_DAEMON_MB)):
        report.show(figure, f"largest private memory of {whose}, MiB")
        report.goal(f"largest private memory of {whose}, MiB",
                    max(report.worst(name, "insert", figure) for name in (BLACKHOLE, FILE)),
                    "<=", limit)
