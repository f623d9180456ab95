"""A source, a place for each kind of target, and a daemon: what nearly every test begins with."""
import json
import os
import sqlite3

import psycopg2

from . import bank, oracle, places, shop
from .daemon import Daemon
from .postgres import Postgres
from .processes import DEADLINE_SECONDS, wait_until
from .traffic import Traffic

KINDS = ("postgres", "sqlite", "file")


class Stage:
    """Subscriptions made by subscribe() are called like their kind: postgres, sqlite, file."""

    def __init__(self, settings=None, target_settings=None, target_tcp=False, folder=None,
                 detached=False):
        self.folder = folder or places.scratch()
        self.detached = detached
        self.source = Postgres(self.folder, "source", settings)
        self.target = Postgres(self.folder, "target", target_settings, tcp=target_tcp)
        self.source.start(detached=detached)
        self.target.start(detached=detached)
        self.shop = self.source.create_database("shop")
        self.copy = self.target.create_database("copy")
        self.sqlite_path = os.path.join(self.folder, "copy.db")
        self.file_path = os.path.join(self.folder, "changes.jsonl")
        self.daemon = Daemon(self.folder, self.shop.dsn())
        self.tables = []
        self.traffic = []

    # ---- setting up

    def install(self, start=True):
        self.shop.run("CREATE EXTENSION pg_fanout")
        self.shop.run("SELECT fanout.start_stream('main')")
        if start:
            self.daemon.start(self.detached)
        return self

    def load(self, workload, seed=1):
        """Creates the tables of the shop or the bank, empty; returns the generator."""
        generator = workload.Shop(seed) if workload is shop else workload.Bank(seed)
        with self.shop.connect() as connection, connection.cursor() as cursor:
            generator.install(cursor)
        connection.close()
        self.tables += workload.TABLES
        return generator

    def fill(self, generator):
        """The generator's start stock, in one transaction of its own."""
        connection = self.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            generator.fill(cursor)
        connection.close()

    def run_traffic(self, generator, per_second=None):
        traffic = Traffic(self.shop, generator, per_second)
        traffic.start()
        self.traffic.append(traffic)
        return traffic

    def options_of(self, kind):
        return {"postgres": {"dsn": self.copy.dsn()}, "sqlite": {"path": self.sqlite_path},
                "file": {"path": self.file_path, "format": "json"}, "blackhole": {}}[kind]

    def subscribe(self, kind, patterns=None, name=None, target_options=None, **options):
        """A target and a subscription on it; tables are created at SQL targets unless told, and rows
        that are there are copied only if told: a copy turns a test's first inserts into reads."""
        name = name or kind
        patterns = patterns or ["public.*", '"Back Office".*' if self.has_shop() else "public.*"]
        if kind not in ("file", "blackhole"):
            options.setdefault("create_tables", True)
        options.setdefault("backfill", False)
        self.shop.run("SELECT fanout.create_target(%s, %s, %s)",
                      (name, kind, json.dumps(target_options or self.options_of(kind))))
        self.shop.run("SELECT fanout.create_subscription(%s, %s, %s, %s)",
                      (name, name, sorted(set(patterns)), json.dumps(options)))

    def has_shop(self):
        return "public.customers" in self.tables

    # ---- looking

    def status(self, subscription):
        return self.shop.row("SELECT * FROM fanout.subscriptions WHERE name = %s", (subscription,))

    def wait_state(self, subscription, *states, seconds=DEADLINE_SECONDS):
        def reached():
            row = self.status(subscription)
            return row if row and row["state"] in states else None
        return wait_until(lambda: f"{subscription} is {' or '.join(states)}: {self.explain()}",
                          reached, seconds)

    def wait_for(self, *subscriptions, seconds=DEADLINE_SECONDS, lsn=None):
        """Until each target is durable up to now (or lsn); raises with every status if not."""
        lsn = lsn or self.shop.value("SELECT pg_current_wal_insert_lsn()")
        for subscription in subscriptions:
            connection = self.shop.connect()
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT fanout.wait_for(%s, %s, %s)",
                                   (subscription, lsn, f"{seconds} s"))
                    if not cursor.fetchone()[0]:
                        raise TimeoutError(f"{subscription} did not reach {lsn} within "
                                           f"{seconds} s\n{self.explain()}")
            finally:
                connection.close()

    def slot(self):
        return self.shop.row("SELECT * FROM pg_replication_slots WHERE slot_name = 'fanout_main'")

    def explain(self):
        """All there is to see, for the text of a failure."""
        parts = []
        for view in ("streams", "subscriptions"):
            try:
                rows = self.shop.run(f"SELECT to_jsonb(v) FROM fanout.{view} v")
                parts += [f"{view}: {json.dumps(row[0], default=str)}" for row in rows]
            except psycopg2.Error as error:
                parts.append(f"{view}: {error}")
        return "\n".join(parts)

    # ---- comparing

    def compare(self, *kinds, wait=True, on_commit=None, seconds=DEADLINE_SECONDS):
        """Waits for the subscriptions called like the kinds, then compares each with the source.
        Nothing may write meanwhile. Returns the rows of the source."""
        kinds = kinds or KINDS
        if wait:
            self.wait_for(*kinds, seconds=seconds)
        source = oracle.Source(self.shop, self.tables)
        counts = []
        for kind in kinds:
            if kind == "postgres":
                counts.append(oracle.compare_postgres(source, self.copy))
            elif kind == "sqlite":
                counts.append(oracle.compare_sqlite(source, self.sqlite_path))
            else:
                counts.append(oracle.compare_file(source, self.file_path, on_commit))
        return counts[0]

    def watch_sums(self):
        """Readers at both SQL targets that must never see a torn bank transfer."""
        query = bank.SUM_QUERY.format(schema="")

        def read_postgres():
            connection = self.copy.connect(connect_timeout=5)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(query)
                    return cursor.fetchone()[0]
            finally:
                connection.close()

        def read_sqlite():
            connection = sqlite3.connect(f"file:{self.sqlite_path}?mode=ro", uri=True, timeout=10)
            try:
                return connection.execute(query).fetchone()[0]
            finally:
                connection.close()

        watchers = [bank.SumWatcher("postgres", read_postgres),
                    bank.SumWatcher("sqlite", read_sqlite)]
        for watcher in watchers:
            watcher.start()
        return watchers

    # ---- the end

    def logs(self):
        texts = [self.explain(), self.daemon.log_tail()]
        texts += [server.process.log_tail(25) for server in (self.source, self.target)
                  if server.process]
        return "\n".join(texts)

    def disconnect(self):
        for traffic in self.traffic:
            traffic.ask_to_stop()
        for database in (self.shop, self.copy):
            database.close()

    def close(self):
        self.disconnect()
        if self.daemon.running():
            self.daemon.kill()
        for server in (self.source, self.target):
            server.remove()


def sum_at_every_commit(replay):
    """For compare_file: the bank's sum must hold after every single transaction of the file."""
    rows = list(replay.table("public", "accounts").values())
    rows += list(replay.table("public", "branches").values())
    total = sum(row["balance"] for row in rows)
    if rows and total != bank.SUM:
        raise AssertionError(f"the sum is {total} after a commit, not {bank.SUM}: torn")
