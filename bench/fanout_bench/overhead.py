"""scripts/bench overhead: what a consumer costs the source.

pgbench with nothing attached, with a walsender + pgoutput + pg_recvlogical, and with pg_fanout to
`blackhole`, interleaved: transactions per second, and CPU of the whole server per transaction.
"""
import os
import re

from fanout_test import places
from fanout_test.processes import Process, wait_until

from . import cpu, rows
from .ground import Ground, progress

SECONDS = 15
NOBODY, WALSENDER, FANOUT = "nothing attached", "pgoutput through a walsender", "pg_fanout to blackhole"


def _server_cpu_us(postmaster):
    """All of the server: its processes, and those that have ended (their time is inherited)."""
    with open(f"/proc/{postmaster}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    ended = (int(fields[13]) + int(fields[14])) * 1e6 / os.sysconf("SC_CLK_TCK")
    with open(f"/proc/{postmaster}/task/{postmaster}/children", encoding="ascii") as file:
        children = file.read().split()
    return ended + cpu.cpu_us(postmaster) + sum(cpu.cpu_us(child) for child in children)


class Walsender:
    def __init__(self, ground):
        self.ground = ground
        ground.create_slot("walsender", "pgoutput")
        self.client = Process("pg_recvlogical", places.as_server(
            [ground.source.program("pg_recvlogical"), "-h", ground.source.folder, "-p",
             str(ground.source.port), "-U", "postgres", "-d", "bench", "-S", "walsender",
             "--start", "-f", "/dev/null", "-F", "0", "-o", "proto_version=1", "-o",
             "publication_names=bench", "-o", "binary=true"]),
            os.path.join(ground.folder, "recvlogical.log"))
        wait_until("pg_recvlogical is connected", lambda: ground.bench.row(
            "SELECT 1 FROM pg_stat_replication WHERE application_name = 'pg_recvlogical'"), 30)

    def close(self):
        self.client.stop()
        wait_until("the slot is free", lambda: self.ground.bench.value(
            "SELECT active_pid IS NULL FROM pg_replication_slots WHERE slot_name = 'walsender'"))
        self.ground.drop_slot("walsender")


class Fanout:
    def __init__(self, ground):
        self.ground = ground
        ground.subscribe("blackhole", "blackhole", {})
        ground.daemon.start()
        ground.bench.value("SELECT fanout.wait_for('blackhole')")

    def close(self):
        self.ground.daemon.stop()
        self.ground.unsubscribe("blackhole")


def run(report, options):
    seconds = options.rows or SECONDS
    ground = Ground()
    try:
        rows.pgbench_tables(ground.source, ground.bench)
        ground.bench.run("CREATE PUBLICATION bench FOR TABLE pgbench_accounts, pgbench_branches, "
                         "pgbench_tellers, pgbench_history")
        ground.subscribe("blackhole", "blackhole", {})
        ground.unsubscribe("blackhole")
        for number in range(1, options.runs + 1):
            for name, attach in ((NOBODY, None), (WALSENDER, Walsender), (FANOUT, Fanout)):
                progress(f"run {number} of {options.runs}: {name}")
                attached = attach(ground) if attach else None
                report.add(name, "pgbench", **_one_run(ground, seconds))
                if attached:
                    attached.close()
    finally:
        ground.close()
    report.show("cpu_us_per_row", "CPU microseconds of the server per transaction", NOBODY)
    report.show("rows_per_s", "transactions per second", NOBODY)
    base, walsender, ours = (report.best(name, "pgbench", "cpu_us_per_row")
                             for name in (NOBODY, WALSENDER, FANOUT))
    report.note(f"added per transaction: walsender {walsender - base:.1f} us, pg_fanout "
                f"{ours - base:.1f} us, ratio {(ours - base) / (walsender - base):.2f} (goal 0.35)")


def _one_run(ground, seconds):
    postmaster = ground.source.process.pid
    before = _server_cpu_us(postmaster)
    output = rows.run_pgbench(ground.source, ground.bench, "-n", "-c", "2", "-j", "1", "-T",
                           str(seconds))
    used = _server_cpu_us(postmaster) - before
    done = int(re.search(r"transactions actually processed: (\d+)", output).group(1))
    return dict(rows=done, cpu_us_per_row=used / done, rows_per_s=done / seconds)
