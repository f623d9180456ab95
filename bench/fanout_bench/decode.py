"""scripts/bench decode: CPU of the server per row, for each output plugin on the same WAL.

Every plugin runs in a background worker of its own with the same reader and outside any transaction;
output of the peers is counted and dropped. pg_fanout is the real worker with a drained ring.
"""
import re

from .ground import Ground, progress

PEERS = {
    "null": ("fanout_null", ""),
    "pgoutput": ("pgoutput", "proto_version=1;publication_names=bench;binary=true"),
    "test_decoding": ("test_decoding", ""),
    "wal2json": ("wal2json", "format-version=2"),
    "decoderbufs": ("decoderbufs", ""),
}
ROWS = 500_000


def _decode(ground, slot, options):
    log = ground.source.log_path
    with open(log, encoding="utf-8", errors="replace") as file:
        file.seek(0, 2)
        ground.bench.run("SELECT fanout_bench_decode(%s, %s)", (slot, options))
        found = re.search(rf"fanout_bench slot={slot} user_us=(\d+) system_us=(\d+) wall_us=(\d+)",
                          file.read())
    if not found:
        raise RuntimeError(f"decoding {slot} left no figures; see {log}")
    user, system, wall = map(int, found.groups())
    return user + system, wall


def run(report, options):
    count = options.rows or ROWS
    for workload in options.workloads or ("insert", "update", "pgbench"):
        ground = Ground()
        try:
            _measure(ground, report, workload, count, options.runs)
        finally:
            ground.close()
    report.show("cpu_us_per_row", "server CPU microseconds per row", "null")
    for workload in dict.fromkeys(workload for _, workload in report.runs):
        ours, theirs = (report.best(name, workload, "cpu_us_per_row")
                        for name in ("pg_fanout", "pgoutput"))
        report.note(f"{workload}: pg_fanout / pgoutput = {ours / theirs:.2f} (goal 0.35)")


def _measure(ground, report, workload, count, runs):
    ground.bench.run("""CREATE FUNCTION fanout_bench_decode(text, text) RETURNS void
                        LANGUAGE c STRICT AS 'fanout_bench'""")
    ground.tables(workload, count)
    ground.bench.run("CREATE PUBLICATION bench FOR ALL TABLES" if workload != "pgbench" else
                     "CREATE PUBLICATION bench FOR TABLE pgbench_accounts, pgbench_branches, "
                     "pgbench_tellers, pgbench_history")
    ground.subscribe("blackhole", "blackhole", {})
    ground.daemon.start()
    ground.bench.value("SELECT fanout.wait_for('blackhole')")
    ground.daemon.stop()
    peers = {name: peer for name, peer in PEERS.items()
             if name in ("null", "pgoutput", "test_decoding") or ground.has_plugin(peer[0])}
    for absent in PEERS.keys() - peers.keys():
        report.note(f"{absent} is not installed and was left out")
    for number in range(1, runs + 1):
        progress(f"{workload}, run {number} of {runs}: writing {count:,} rows")
        for name, (plugin, _) in peers.items():
            ground.create_slot(name, plugin)
        done = ground.fill(workload, count)
        for name, (_, plugin_options) in peers.items():
            used, wall = _decode(ground, name, plugin_options)
            report.add(name, workload, rows=done, cpu_us_per_row=used / done,
                       rows_per_s=done / wall * 1e6)
            ground.drop_slot(name)
        caught = ground.catch_up("blackhole")
        report.add("pg_fanout", workload, rows=done, cpu_us_per_row=caught.worker_us / done,
                   rows_per_s=done / caught.seconds, rss_max_mb=caught.worker_mb)
        ground.daemon.stop()
