"""Measures how long a committed row takes until it can be read at each target.

A process of its own (the traffic's Python must not be in the way): it commits one row into
`heartbeat` every few milliseconds and then looks at the targets in turn until all have it.
"""
import os
import signal
import sqlite3
import statistics
import time

import psycopg2

EVERY_SECONDS = 0.04
PATIENCE_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.0002
WARM_UP_PROBES = 25  # not counted: the targets' tables are being created

TABLE = "CREATE TABLE heartbeat (id integer PRIMARY KEY, at timestamptz)"


class _Postgres:
    def __init__(self, dsn):
        self.dsn, self.cursor = dsn, None

    def has(self, number):
        try:
            if self.cursor is None:
                connection = psycopg2.connect(self.dsn)
                connection.autocommit = True
                self.cursor = connection.cursor()
            self.cursor.execute("SELECT 1 FROM heartbeat WHERE id = %s", (number,))
            return self.cursor.fetchone() is not None
        except psycopg2.Error:
            return False  # the table is not there yet


class _Sqlite:
    def __init__(self, path):
        self.path, self.connection = path, None

    def has(self, number):
        try:
            if self.connection is None:
                self.connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=0)
            found = self.connection.execute("SELECT 1 FROM heartbeat WHERE id = ?", (number,))
            return found.fetchone() is not None
        except sqlite3.OperationalError:
            return False


class _File:
    def __init__(self, path):
        self.path, self.file, self.rest, self.seen = path, None, b"", set()

    def has(self, number):
        if self.file is None:
            if not os.path.exists(self.path):
                return False
            self.file = open(self.path, "rb", buffering=0)
        lines = (self.rest + (self.file.read() or b"")).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            if b'"table":"heartbeat"' in line:
                self.seen.add(line.split(b'"key":{"id":')[1].split(b"}")[0])
        return b"%d" % number in self.seen


def _probe(dsn, places, pipe):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    source = psycopg2.connect(dsn)
    source.autocommit = True
    cursor = source.cursor()
    number = 0
    while True:
        number += 1
        cursor.execute("INSERT INTO heartbeat VALUES (%s, now())", (number,))
        committed = time.monotonic()
        waiting = dict(places)
        while waiting and time.monotonic() - committed < PATIENCE_SECONDS:
            for name, place in list(waiting.items()):
                if place.has(number):
                    took = (time.monotonic() - committed) * 1000
                    if number > WARM_UP_PROBES:
                        os.write(pipe, f"{name} {took:.3f}\n".encode())
                    del waiting[name]
            time.sleep(LOOK_AGAIN_SECONDS)
        time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - committed)))


class LatencyProbe:
    """Fork it before there are threads. finish() returns {target: sorted milliseconds}."""

    def __init__(self, source_dsn, copy_dsn, sqlite_path, file_path):
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.rest, self.samples = "", {"postgres": [], "sqlite": [], "file": []}
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _probe(source_dsn, {"postgres": _Postgres(copy_dsn), "sqlite": _Sqlite(sqlite_path),
                                    "file": _File(file_path)}, writer)
            finally:
                os._exit(1)
        os.close(writer)

    def recent(self):
        """The newest reading of each target in milliseconds, None where there is none yet."""
        try:
            text = self.rest + os.read(self.reader, 1 << 20).decode()
        except BlockingIOError:
            text = self.rest
        *lines, self.rest = text.split("\n")
        for line in lines:
            name, value = line.split()
            self.samples[name].append(float(value))
        return {name: values[-1] if values else None for name, values in self.samples.items()}

    def forget(self):
        """What was measured so far does not count."""
        self.recent()
        self.samples = {name: [] for name in self.samples}

    def finish(self):
        if self.pid:
            self.recent()
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)
            self.pid = 0
        return {name: sorted(values) for name, values in self.samples.items()}


def percentiles(values):
    """(p50, p99) in milliseconds of sorted values, or (None, None)."""
    if not values:
        return None, None
    return statistics.median(values), values[min(len(values) - 1, int(len(values) * 0.99))]
