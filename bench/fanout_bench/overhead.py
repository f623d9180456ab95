"""scripts/bench overhead: what a consumer costs the source.

pgbench with nothing attached, with a walsender + pgoutput + pg_recvlogical, and with pg_fanout to
`blackhole`, in turn, in short slices: transactions per second, and CPU of the whole server per
transaction. What a consumer adds is its own process, plus what the rest of the server uses more than
in the slice beside it with nothing attached; the median over the slices. The server's fsync is off:
every commit still writes and wakes whoever waits for WAL, but the disk's moods are left out.
"""
import os
import re
import statistics

from . import cpu, rows
from .ground import Ground, progress
from .held import Walsender

SECONDS = 4
SLICES = 2  # of each contestant in a run
NOBODY, WALSENDER, FANOUT = "null (nothing attached)", "pgoutput, walsender", \
    "pg_fanout to blackhole"
GOAL = 0.35


class Server:
    """CPU of all the server's processes, those included that have ended."""

    def __init__(self, postmaster):
        self.postmaster = postmaster

    def us(self):
        with open(f"/proc/{self.postmaster}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ended = (int(fields[13]) + int(fields[14])) * 1e6 / os.sysconf("SC_CLK_TCK")
        with open(f"/proc/{self.postmaster}/task/{self.postmaster}/children",
                  encoding="ascii") as file:
            children = file.read().split()
        return ended + cpu.cpu_us(self.postmaster) + sum(cpu.cpu_us(child) for child in children)


class Fanout:
    """The daemon is started and stopped; its subscription and its slot stay."""

    def __init__(self, ground):
        self.ground = ground
        ground.daemon.start()
        ground.wait_for("blackhole")
        self.pid = ground.worker_pid()

    def drop(self):
        self.ground.daemon.stop()


def run(report, options):
    seconds = options.rows or SECONDS
    ground = Ground(fsync="off")
    try:
        rows.pgbench_tables(ground.source, ground.bench)
        ground.publish("pgbench")
        ground.subscribe("blackhole", "blackhole", {})
        for number in range(1, options.runs + 1):
            progress(f"run {number} of {options.runs}")
            for _ in range(SLICES):
                _in_turn(ground, report, seconds)
    finally:
        ground.close()
    _show(report)


def _in_turn(ground, report, seconds):
    alone = _slice(ground, seconds)
    report.add(NOBODY, "pgbench", **alone)
    for name, attach in ((WALSENDER, lambda: Walsender(ground, "walsender")),
                         (FANOUT, lambda: Fanout(ground))):
        attached = attach()
        figures = _slice(ground, seconds, attached.pid)
        attached.drop()
        others = figures["cpu_us_per_row"] - figures["own_us"] - alone["cpu_us_per_row"]
        report.add(name, "pgbench", **figures, others_us=others,
                   added_us=figures["own_us"] + others)


def _slice(ground, seconds, consumer=None):
    server = Server(ground.source.process.pid)
    before, own = server.us(), cpu.Watch(*([consumer] if consumer else []))
    output = rows.run_pgbench(ground.source, ground.bench, "-n", "-c", "2", "-j", "1", "-T",
                              str(seconds))
    done = int(re.search(r"transactions actually processed: (\d+)", output).group(1))
    figures = dict(rows=done, cpu_us_per_row=(server.us() - before) / done,
                   rows_per_s=done / seconds)
    if consumer:
        figures["own_us"] = own.us() / done
    return figures


def _show(report):
    report.show("cpu_us_per_row", "CPU microseconds of the server per transaction", NOBODY)
    report.show("rows_per_s", "transactions per second", NOBODY)
    report.show("own_us", "CPU microseconds per transaction, the consumer's own process", WALSENDER)
    report.show("added_us", "CPU microseconds added to the server per transaction", WALSENDER)
    middle = {(name, figure): statistics.median(report.values(name, "pgbench", figure))
              for name in (WALSENDER, FANOUT) for figure in ("own_us", "added_us")}
    for figure, what in (("own_us", "the consumer's own process"), ("added_us", "all of it")):
        if middle[WALSENDER, figure] <= 0:
            report.note(f"{what}: the slices differ by more than the walsender adds; no ratio")
            continue
        report.goal(f"added server CPU, pg_fanout / walsender, medians, {what}",
                    middle[FANOUT, figure] / middle[WALSENDER, figure], "<=", GOAL)
