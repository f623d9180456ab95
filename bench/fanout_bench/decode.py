"""scripts/bench decode: CPU of the server per row, for each output plugin on the same WAL.

Every plugin runs in a background worker of its own with the same reader and outside any transaction;
output of the peers is counted and dropped. pg_fanout is the real worker with a drained ring. The WAL
is written once and decoded by everybody in every run; nobody's start is counted.
"""
import re

from .ground import Ground, progress
from .held import Stream

PEERS = {
    "null": ("fanout_null", ""),
    "pgoutput": ("pgoutput", "proto_version=1;publication_names=bench;binary=true"),
    "test_decoding": ("test_decoding", ""),
    "wal2json": ("wal2json", "format-version=2"),
    "decoderbufs": ("decoderbufs", ""),
}
OURS = "pg_fanout into a drained ring"
ROWS = 500_000
GOAL_NULL, GOAL_PGOUTPUT = 1.3, 0.35


def _decode(ground, slot, options, rows):
    log = ground.source.log_path
    with open(log, encoding="utf-8", errors="replace") as file:
        file.seek(0, 2)
        ground.bench.run("SELECT fanout_bench_decode(%s, %s)", (slot, options))
        found = re.search(rf"fanout_bench slot={slot} user_us=(\d+) system_us=(\d+) wall_us=(\d+) "
                          r"changes=(\d+) .* rss_kb=(\d+)", file.read())
    if not found:
        raise RuntimeError(f"decoding {slot} left no figures; see {log}")
    user, system, wall, changes, _ = map(int, found.groups())
    if changes < rows:
        raise RuntimeError(f"{slot} was given {changes} changes of {rows}")
    return dict(rows=rows, cpu_us_per_row=(user + system) / rows, rows_per_s=rows / wall * 1e6)


def run(report, options):
    count = options.rows or ROWS
    for workload in options.workloads or ("insert", "update", "pgbench"):
        ground = Ground(fsync="off")  # of the source, while the WAL is written
        try:
            _measure(ground, report, workload, count, options.runs)
        finally:
            ground.close()
    report.show("cpu_us_per_row", "server CPU microseconds per row", "null")
    for workload in dict.fromkeys(workload for _, workload in report.runs):
        for peer, limit in (("null", GOAL_NULL), ("pgoutput", GOAL_PGOUTPUT)):
            report.goal(f"{workload}: CPU of pg_fanout / {peer}, median of the runs' ratios",
                        report.paired(OURS, peer, workload, "cpu_us_per_row"), "<=", limit)


def _measure(ground, report, workload, count, runs):
    ground.bench.run("""CREATE FUNCTION fanout_bench_decode(text, text) RETURNS void
                        LANGUAGE c STRICT AS 'fanout_bench'""")
    ground.tables(workload, count)
    ground.publish(workload)
    peers = {name: peer for name, peer in PEERS.items()
             if name in ("null", "pgoutput", "test_decoding") or ground.has_plugin(peer[0])}
    for absent in PEERS.keys() - peers.keys():
        report.note(f"{absent} is not installed and was left out")
    ground.daemon.start()
    ours = [Stream(ground, f"ring_{number}", "blackhole") for number in range(1, runs + 1)]
    for stream in ours:
        stream.hold()
    for name, (plugin, _) in peers.items():
        ground.create_slot(name, plugin)
    progress(f"{workload}: writing {count:,} rows")
    done = ground.fill(workload, count)
    for stream in ours:
        for name, (_, plugin_options) in peers.items():
            report.add(name, workload, **_decode(ground, name, plugin_options, done))
        figures = stream.read(done)
        report.add(OURS, workload, rows=done, cpu_us_per_row=figures["server_us_per_row"],
                   rows_per_s=figures["rows_per_s"], rss_max_mb=figures["worker_mb"])
        stream.drop()
    ground.daemon.stop()
