"""scripts/bench <measure> [options]"""
import argparse
import importlib

from . import cpu
from .report import Report

MEASURES = {
    "decode": "server CPU per row, by output plugin",
    "pipeline": "server and consumer CPU per row, against walsender + pgoutput",
    "apply": "catch-up into PostgreSQL, against native logical replication and COPY",
    "backfill": "copying rows that are there, against COPY and native table sync",
    "latency": "commit to readable at a PostgreSQL target, against native",
    "overhead": "what a consumer costs pgbench on the source",
    "huge": "memory for one transaction of 10 million rows (no runs: once)",
}


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures pg_fanout beside its peers, in one run.",
        epilog="measures: " + "; ".join(f"{name}: {text}" for name, text in MEASURES.items()))
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--runs", type=int, default=5, help="runs of each contestant (default 5)")
    parser.add_argument("--rows", type=int, help="rows (latency, overhead: seconds) of each run")
    parser.add_argument("--workload", dest="workloads", action="append",
                        choices=("insert", "update", "pgbench"), help="only this workload")
    options = parser.parse_args()
    report = Report(options.measure, cpu.load_average())
    importlib.import_module(f"fanout_bench.{options.measure}").run(report, options)
    report.close()
    if options.json:
        report.write_json(options.json)
