#!/usr/bin/python3
"""The demo behind scripts/demo: one PostgreSQL, three targets, live traffic, exact comparison."""
import argparse
import json
import os
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "tests", "support"))

from fanout_test import bank, oracle, places, shop  # noqa: E402
from fanout_test.processes import wait_until  # noqa: E402
from fanout_test.stage import KINDS, Stage, sum_at_every_commit  # noqa: E402
from events import INSERT, ROWS, Events  # noqa: E402
from latency import TABLE, LatencyProbe, percentiles  # noqa: E402
from screen import Screen, bar, milliseconds, number  # noqa: E402

KEPT = os.path.join(places.TMP, f"pg_fanout-demo-{os.geteuid()}")
BURST_ROWS = 30_000
# So that there is something to see: each copy is over in a second otherwise.
COPY_ROWS_PER_SECOND = 50_000
COPY_SECONDS_MAX = 60
# Durable on purpose: the times below are to be those of servers that sync their commits.
SETTINGS = {"fsync": "on", "shared_buffers": "64MB"}
NAMES = {"postgres": "PostgreSQL", "sqlite": "SQLite", "file": "JSON lines"}


class Demo:
    def __init__(self, screen, seconds, keep):
        self.screen, self.seconds, self.keep = screen, seconds, keep
        self.begun = time.monotonic()
        self.stage = self.probe = None
        self.results, self.rates, self.latencies, self.delivered = {}, {}, {}, {}
        self.committed = self.rolled_back = self.rows = 0
        self.generators, self.running, self.events = [], [], None

    # ---- the steps

    def servers(self):
        self.screen.step("Starting two throw-away PostgreSQL servers")
        folder = None
        if self.keep:
            folder = places.own_folder(KEPT)
        self.stage = Stage(settings=SETTINGS, target_settings={"fsync": "on"}, folder=folder,
                           detached=self.keep)
        self.remember()
        self.screen.done()

    def set_up(self):
        stage = self.stage
        self.screen.step(f"A shop and a bank, and a table with {number(ROWS)} rows already")
        self.generators = [stage.load(shop, seed=2026), stage.load(bank, seed=2026)]
        stage.shop.run(TABLE)
        self.events = Events(2026)
        with stage.shop.connect() as connection, connection.cursor() as cursor:
            self.events.install(cursor)
        connection.close()
        stage.tables += ["public.heartbeat", "public.events"]
        self.screen.done()
        self.screen.step("CREATE EXTENSION pg_fanout, one stream, three subscriptions")
        stage.install(start=False)
        for kind in KINDS:
            stage.subscribe(kind, backfill=True, rows_per_second=COPY_ROWS_PER_SECOND)
        self.screen.done()
        self.screen.step("Starting fanoutd")
        stage.daemon.start(detached=self.keep)
        self.remember()
        for kind in KINDS:
            stage.wait_state(kind, "streaming", seconds=20)
        self.screen.done()

    def copy_what_is_there(self):
        """Existing rows arrive, while they and everything else change."""
        stage = self.stage
        self.screen.line()
        self.screen.line(f"  The {number(ROWS)} rows are copied to each target, by parts and without "
                         "a long transaction, while they change:")
        # Whole from the first row on, so that the sums of each single commit can be compared.
        wait_until("the empty tables are copied", lambda: stage.shop.value(
            "SELECT bool_and(state = 'complete') FROM fanout.backfills "
            "WHERE table_name <> 'events'"), COPY_SECONDS_MAX)
        self.probe = LatencyProbe(stage.shop.dsn(), stage.copy.dsn(), stage.sqlite_path,
                                  stage.file_path)
        for generator in self.generators:
            stage.fill(generator)
        self.running = [stage.run_traffic(generator, per_second=100)
                        for generator in [*self.generators, self.events]]
        begun = time.monotonic()
        while time.monotonic() - begun < COPY_SECONDS_MAX:
            copies = {row[0]: row[1:] for row in stage.shop.run(
                "SELECT subscription, state, coalesce(rows_done, 0), rows_per_second "
                "FROM fanout.backfills WHERE table_name = 'events'")}
            self.screen.progress(f"{time.monotonic() - begun:4.1f} s   " + "   ".join(
                f"{NAMES[kind]} {bar(copies[kind][1] / ROWS)} {number(copies[kind][1]):>7}"
                for kind in KINDS))
            if all(state == "complete" for state, *_ in copies.values()):
                break
            time.sleep(0.1)
        else:
            raise TimeoutError(f"not copied after {COPY_SECONDS_MAX} s: {copies}")
        self.screen.progress_end()

    def live_traffic(self):
        """Inserts, updates, deletes, truncates, savepoints, rollbacks; and the latency meanwhile."""
        self.screen.line()
        self.screen.line(f"  {self.seconds:g} seconds of shop and bank traffic; how long a committed "
                         "row takes to be readable at each target:")
        self.probe.forget()
        running = self.running
        begun = time.monotonic()
        while time.monotonic() - begun < self.seconds and all(t.is_alive() for t in running):
            time.sleep(0.25)
            now = self.probe.recent()
            self.screen.progress(
                f"{time.monotonic() - begun:4.0f} s   "
                f"{number(sum(t.committed for t in running)):>6} transactions   "
                + "   ".join(f"{NAMES[k]} {milliseconds(now[k]):>5} ms" for k in KINDS))
        self.screen.progress_end()
        self.latencies = {kind: percentiles(v) for kind, v in self.probe.finish().items()}
        self.committed = sum(t.finish() for t in running)
        self.rolled_back = sum(t.rolled_back for t in running)

    def burst(self):
        """One transaction of many rows, and how long each target takes to have all of it."""
        self.screen.line()
        self.screen.step(f"A burst: {number(BURST_ROWS)} rows in one transaction")
        begun = time.monotonic()
        self.stage.shop.run(INSERT, (ROWS + 1, ROWS + BURST_ROWS))
        lsn = self.stage.shop.value("SELECT pg_current_wal_insert_lsn()")
        waiting = {kind: self.stage.shop.connect() for kind in KINDS}
        import threading

        def wait(kind, connection):
            with connection.cursor() as cursor:
                cursor.execute("SELECT fanout.wait_for(%s, %s, '50 s')", (kind, lsn))
                if cursor.fetchone()[0]:
                    self.rates[kind] = BURST_ROWS / (time.monotonic() - begun)
            connection.close()
        threads = [threading.Thread(target=wait, args=item) for item in waiting.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.screen.done()

    def compare(self):
        self.screen.step("Comparing every row of every table with the source")
        self.stage.wait_for(*KINDS)
        source = oracle.Source(self.stage.shop, self.stage.tables)
        self.rows = sum(len(rows) for _, rows in source.tables.values())
        checks = {"postgres": lambda: oracle.compare_postgres(source, self.stage.copy),
                  "sqlite": lambda: oracle.compare_sqlite(source, self.stage.sqlite_path),
                  "file": lambda: oracle.compare_file(source, self.stage.file_path,
                                                      sum_at_every_commit)}
        for kind in KINDS:
            try:
                checks[kind]()
                self.results[kind] = None
            except AssertionError as difference:
                self.results[kind] = str(difference)
            self.delivered[kind] = self.stage.status(kind)["rows_delivered"]
        self.screen.done()

    # ---- the words at the end

    def report(self):
        self.screen.line()
        rows = []
        for kind in KINDS:
            p50, p99 = self.latencies[kind]
            rate = self.rates.get(kind)
            rows.append([NAMES[kind], number(self.rows), number(self.delivered[kind] or 0),
                         "–" if rate is None else number(rate) + "/s",
                         milliseconds(p50) + " ms", milliseconds(p99) + " ms",
                         "identical" if self.results[kind] is None else "DIFFERENT"])
        self.screen.table(["target", "rows", "changes", "burst rate", "latency p50", "p99",
                           "result"], rows)
        for kind in KINDS:
            if self.results[kind]:
                print(self.results[kind], file=sys.stderr)
        if not any(self.results.values()):
            self.screen.line(
                f"  {number(self.committed)} transactions committed and {number(self.rolled_back)} "
                "rolled back at the source. Each committed one is in all\n  three targets exactly "
                "once and whole; of the others there is no trace.")
            self.screen.line()
        return not any(self.results.values())

    def next_steps(self):
        folder = self.stage.folder
        if not self.keep:
            self.screen.line("  Next\n"
                             "    explore it yourself      scripts/demo --keep\n"
                             "    your own database        README.md, “Your first subscription”\n"
                             "    how it works             docs/architecture.md\n")
            return
        name = self.stage.shop.value("SELECT id FROM customers ORDER BY id LIMIT 1")
        print(f"""  It is all still running, without traffic. Look around:

    the source     psql -h {folder}/source -U postgres shop
    PostgreSQL     psql -h {folder}/target -U postgres copy
    SQLite         sqlite3 {folder}/copy.db
    JSON lines     tail -f {folder}/changes.jsonl
    fanoutd's log  tail -f {folder}/fanoutd.log

  Change something at the source and see it arrive:

    UPDATE customers SET name = 'Ada Lovelace' WHERE id = {name};
    SELECT name, state, lag_bytes, rows_delivered FROM fanout.subscriptions;

  Add a subscription of your own, in the same psql:

    SELECT fanout.create_target('mine', 'file', '{{"path": "{folder}/mine.jsonl"}}');
    SELECT fanout.create_subscription('mine', 'mine', '{{public.orders}}');

  When you have seen enough:  scripts/demo --stop
""", flush=True)

    # ---- leaving

    def remember(self):
        """Writes down what --stop has to end, as soon as it runs."""
        if not self.keep:
            return
        running = [self.stage.daemon.process, self.stage.source.process, self.stage.target.process]
        with open(os.path.join(KEPT, "demo.json"), "w", encoding="utf-8") as file:
            json.dump([{"pid": p.pid, "name": p.name} for p in running if p], file)

    def run(self):
        self.screen.line("\npg_fanout: one PostgreSQL database, every committed change in three "
                         "places, exactly once\n")
        self.servers()
        self.set_up()
        self.copy_what_is_there()
        self.live_traffic()
        self.burst()
        self.compare()
        good = self.report()
        if self.screen.quiet:
            print(f"demo: {'ok' if good else 'FAILED'}: {', '.join(NAMES[k] for k in KINDS)} "
                  f"{'identical to' if good else 'compared with'} the source: {number(self.rows)} "
                  f"rows, {number(max(self.delivered.values()) or 0)} changes, "
                  f"{time.monotonic() - self.begun:.0f} s")
        if good:
            self.next_steps()
        else:
            print(self.stage.logs(), file=sys.stderr)
        return good

    def leave(self, good):
        if self.probe:
            self.probe.finish()
        if self.stage is None:
            return
        self.stage.disconnect()
        if self.keep and good:
            return
        self.stage.close()
        if self.keep:
            shutil.rmtree(KEPT, ignore_errors=True)


def is_ours(process):
    """The pid still belongs to what was started: it has the demo's folder in its arguments."""
    try:
        with open(f"/proc/{process['pid']}/cmdline", "rb") as file:
            return KEPT.encode() in file.read()
    except OSError:
        return False


def stop_kept():
    try:
        with open(os.path.join(KEPT, "demo.json"), encoding="utf-8") as file:
            processes = json.load(file)
    except FileNotFoundError:
        print("demo: nothing was left running")
        return
    for process in processes:
        if is_ours(process):
            server = process["name"].startswith("postgres")
            os.kill(process["pid"], signal.SIGINT if server else signal.SIGTERM)
    wait_until("everything of the demo has ended", lambda: not any(map(is_ours, processes)), 30)
    shutil.rmtree(KEPT, ignore_errors=True)
    print(f"demo: ended, and {KEPT} is removed")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/demo")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="quiet; exit status 1 on any difference")
    mode.add_argument("--keep", action="store_true", help="leave everything running afterwards")
    mode.add_argument("--stop", action="store_true", help="end what --keep left running")
    parser.add_argument("--seconds", type=float, help="how long the traffic runs")
    return parser.parse_args()


def main():
    asked = arguments()
    if asked.stop:
        return stop_kept()
    if asked.keep and os.path.exists(KEPT):
        sys.exit(f"demo: a demo is kept in {KEPT} already; end it with scripts/demo --stop")
    demo = Demo(Screen(quiet=asked.check), asked.seconds or (5 if asked.check else 12), asked.keep)
    good = False
    try:
        good = demo.run()
    except KeyboardInterrupt:
        print("\ndemo: interrupted; cleaning up")
    except Exception as error:  # noqa: BLE001  shown with the logs: this is all a newcomer sees
        print(f"\ndemo: failed: {error}", file=sys.stderr)
        if demo.stage:
            print(demo.stage.logs(), file=sys.stderr)
    finally:
        demo.leave(good)
    sys.exit(0 if good else 1)


main()
