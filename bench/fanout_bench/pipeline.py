"""scripts/bench pipeline: CPU of server and consumer together per row.

walsender + pgoutput + pg_recvlogical to /dev/null, against ring + fanoutd with its journal, to
`blackhole` and to `file`. The WAL is written once; all of them read it in every run.
"""
import os

from .ground import Ground, progress
from .held import Stream, Walsender

ROWS = 500_000
PEER, BLACKHOLE, FILE = "pgoutput, walsender", "pg_fanout to blackhole", "pg_fanout to file"
GOAL_CPU, GOAL_FILE_ROWS, GOAL_MB = 0.25, 300_000, 64


def run(report, options):
    count = options.rows or ROWS
    for workload in options.workloads or ("insert", "update", "pgbench"):
        ground = Ground(fsync="off")  # of the source, while the WAL is written
        try:
            _measure(ground, report, workload, count, options.runs)
        finally:
            ground.close()
    report.show("cpu_us_per_row", "CPU microseconds per row, server and consumer", PEER)
    report.show("server_us_per_row", "of it the server's", PEER)
    report.show("rows_per_s", "rows per second", PEER)
    report.show("daemon_mb", "largest private memory of fanoutd, MiB")
    report.show("worker_mb", "largest private memory of the worker, decoding included, MiB")
    for workload in dict.fromkeys(workload for _, workload in report.runs):
        report.goal(f"{workload}: CPU to blackhole / walsender, median of the runs' ratios",
                    report.paired(BLACKHOLE, PEER, workload, "cpu_us_per_row"), "<=", GOAL_CPU)
        report.goal(f"{workload}: rows/s to file", report.best(FILE, workload, "rows_per_s"),
                    ">=", GOAL_FILE_ROWS)
        for who, figure in (("fanoutd", "daemon_mb"), ("the worker", "worker_mb")):
            report.goal(f"{workload}: largest private memory of {who}, MiB",
                        max(report.worst(name, workload, figure) for name in (BLACKHOLE, FILE)),
                        "<=", GOAL_MB)


def _measure(ground, report, workload, count, runs):
    ground.tables(workload, count)
    ground.publish(workload)
    ground.daemon.start()
    contestants = []
    for number in range(1, runs + 1):
        path = os.path.join(ground.folder, f"changes_{number}.jsonl")
        contestants.append(((PEER, Walsender(ground, f"walsender_{number}")),
                            (BLACKHOLE, Stream(ground, f"blackhole_{number}", "blackhole")),
                            (FILE, Stream(ground, f"file_{number}", "file", {"path": path}))))
    for run_of_all in contestants:
        for _, contestant in run_of_all:
            contestant.hold()
    progress(f"{workload}: writing {count:,} rows")
    done = ground.fill(workload, count)
    for number, run_of_all in enumerate(contestants, 1):
        for name, contestant in run_of_all:
            report.add(name, workload, **contestant.read(done))
            contestant.drop()
        path = os.path.join(ground.folder, f"changes_{number}.jsonl")
        _must_be_complete(path, done)
        os.unlink(path)
    ground.daemon.stop()


def _must_be_complete(path, rows):
    """A figure for lost rows is worth nothing."""
    with open(path, "rb") as file:
        lines = sum(1 for _ in file)
    if lines != rows:
        raise RuntimeError(f"{path} has {lines} lines for {rows} rows")
