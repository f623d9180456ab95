"""scripts/bench pipeline: CPU of server and consumer together per row.

walsender + pgoutput + pg_recvlogical to /dev/null, against ring + fanoutd with its journal, to
`blackhole` and to `file`, all on the same WAL.
"""
import os
import time

from fanout_test import places
from fanout_test.processes import Process, wait_until

from . import cpu
from .ground import Ground, progress

ROWS = 500_000
PEER = "pgoutput through a walsender"


def _walsender(ground, count):
    """Reads everything that waits in the slot with pg_recvlogical, then ends it."""
    end = ground.bench.value("SELECT pg_current_wal_flush_lsn()")
    started = time.monotonic()
    client = Process("pg_recvlogical", places.as_server(
        [ground.source.program("pg_recvlogical"), "-h", ground.source.folder, "-p",
         str(ground.source.port), "-U", "postgres", "-d", "bench", "-S", "walsender", "--start",
         "-f", "/dev/null", "-F", "0", "-s", "1", "-o", "proto_version=1", "-o",
         "publication_names=bench", "-o", "binary=true"]),
        os.path.join(ground.folder, "recvlogical.log"))
    state = "SELECT pid, sent_lsn >= %s AS done FROM pg_stat_replication WHERE application_name = " \
            "'pg_recvlogical'"
    wait_until("pg_recvlogical is connected", lambda: ground.bench.row(state, (end,)), 30, 0.005)
    pid = ground.bench.row(state, (end,))["pid"]
    wait_until("pg_recvlogical has everything", lambda: ground.bench.row(state, (end,))["done"],
               600, 0.02)
    seconds = time.monotonic() - started
    server, consumer = cpu.cpu_us(pid), cpu.cpu_us(client.pid)
    client.stop()
    wait_until("the walsender is gone", lambda: not ground.bench.row(state, (end,)), 30)
    return dict(rows=count, cpu_us_per_row=(server + consumer) / count,
                server_us_per_row=server / count, rows_per_s=count / seconds)


def _fanout(ground, subscription, count):
    caught = ground.catch_up(subscription)
    ground.daemon.stop()
    return dict(rows=count, cpu_us_per_row=(caught.worker_us + caught.daemon_us) / count,
                server_us_per_row=caught.worker_us / count, rows_per_s=count / caught.seconds,
                rss_max_mb=caught.daemon_mb)


def run(report, options):
    count = options.rows or ROWS
    for workload in options.workloads or ("insert", "pgbench"):
        ground = Ground()
        try:
            _measure(ground, report, workload, count, options.runs)
        finally:
            ground.close()
    report.show("cpu_us_per_row", "CPU microseconds per row, server and consumer", PEER)
    report.show("rows_per_s", "rows per second", PEER)


def _measure(ground, report, workload, count, runs):
    ground.tables(workload, count)
    ground.bench.run("CREATE PUBLICATION bench FOR ALL TABLES" if workload != "pgbench" else
                     "CREATE PUBLICATION bench FOR TABLE pgbench_accounts, pgbench_branches, "
                     "pgbench_tellers, pgbench_history")
    path = os.path.join(ground.folder, "changes.jsonl")
    ground.subscribe("blackhole", "blackhole", {})
    ground.unsubscribe("blackhole")
    for number in range(1, runs + 1):
        progress(f"{workload}, run {number} of {runs}: writing {count:,} rows")
        for connector in ("blackhole", "file"):
            # One at a time: each attachment has one lane, so that its CPU is that lane's.
            ground.bench.run("SELECT fanout.stop_stream('main', drop_slot => true)")
            ground.bench.run("SELECT fanout.start_stream('main')")
            ground.subscribe(connector, connector,
                             {"path": path} if connector == "file" else {})
            if connector == "blackhole":
                ground.create_slot("walsender", "pgoutput")
            done = ground.fill(workload, count)
            if connector == "blackhole":
                report.add(PEER, workload, **_walsender(ground, done))
                ground.drop_slot("walsender")
            report.add(f"pg_fanout to {connector}", workload, **_fanout(ground, connector, done))
            ground.unsubscribe(connector)
            ground.daemon.state += "x"  # a slot of its own needs a state directory of its own
            for suffix in ("", ".checkpoint", ".fanout-checkpoint", ".lock"):
                if os.path.exists(path + suffix):
                    os.unlink(path + suffix)
