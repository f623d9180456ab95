"""Exact comparison of the source's tables with a target's: count and sum of 64-bit row hashes.

A sum is used and never XOR, which cannot see a row that came twice more. Where the sums differ the
rows themselves are compared and the first missing, extra and doubled ones are shown.
"""
import re
import sqlite3
from collections import Counter

import psycopg2

from .canonical import PINNED, canonical, canonical_embedded, row_hash
from .replay import Replay

SHOWN = 10


class Difference(AssertionError):
    """Source and target do not hold the same rows."""


def split_name(table):
    # As SQL reads it: quoted parts keep their case, others fold to lower case; default public.
    parts = re.findall(r'"(?:[^"]|"")*"|[^".]+', table)
    names = [p[1:-1].replace('""', '"') if p[0] == '"' else p.lower() for p in parts]
    return tuple(names) if len(names) == 2 else ("public", names[0])


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def as_text(column):
    """The output function's text: a cast to text changes some types (character(n), inet)."""
    # Not IS NULL: that is true for a composite whose fields are all null.
    return f"CASE WHEN {quote(column)} IS NOT DISTINCT FROM NULL THEN NULL ELSE format('%s', {quote(column)}) END"


class Source:
    """The source's rows as of one moment: one snapshot for all tables."""

    def __init__(self, database, tables):
        self.tables = {}
        self._sums = {}
        connection = database.connect(autocommit=False)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute(PINNED)
                for table in tables:
                    self.tables[split_name(table)] = self._read(cursor, *split_name(table))
        finally:
            connection.close()

    def sum(self, name):
        """Of one table, for all targets that are compared with it."""
        if name not in self._sums:
            rows = self.tables[name][1]
            self._sums[name] = (len(rows), sum(map(row_hash, rows)))
        return self._sums[name]

    @staticmethod
    def _read(cursor, schema, name):
        cursor.execute("SELECT attname, CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) "
                       "ELSE format_type(atttypid, atttypmod) END "
                       "FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
                       "ORDER BY attnum", (f"{quote(schema)}.{quote(name)}",))
        columns = cursor.fetchall()
        listed = ", ".join(as_text(c) for c, _ in columns)
        cursor.execute("SELECT CASE WHEN relkind = 'p' THEN '' ELSE 'ONLY' END FROM pg_class WHERE oid = %s::regclass",
                       (f"{quote(schema)}.{quote(name)}",))
        only = cursor.fetchone()[0]  # children by inheritance are tables of their own
        cursor.execute(f"SELECT {listed} FROM {only} {quote(schema)}.{quote(name)}")
        types = [t for _, t in columns]
        return columns, [tuple(map(canonical, types, row)) for row in cursor]


def _compare(where, name, source, target_rows):
    """target_rows: canonical tuples. Returns the number of rows, or raises Difference."""
    sums = [source.sum(name), (len(target_rows), sum(map(row_hash, target_rows)))]
    if sums[0] == sums[1]:
        return sums[0][0]
    source_rows = source.tables[name][1]
    ours, theirs = Counter(source_rows), Counter(target_rows)
    missing, extra = list((ours - theirs).elements()), list((theirs - ours).elements())
    lines = [f"{where}: table {'.'.join(name)} differs: source {sums[0][0]} rows, target "
             f"{sums[1][0]}; {len(missing)} missing or different, {len(extra)} extra or different"]
    shorten = lambda row: "(" + ", ".join("NULL" if v is None else v[:60] for v in row) + ")"
    lines += ["  missing " + shorten(row) for row in sorted(missing, key=str)[:SHOWN]]
    lines += ["  extra   " + shorten(row) for row in sorted(extra, key=str)[:SHOWN]]
    raise Difference("\n".join(lines))


def compare_postgres(source, database):
    """source: a Source; database: the target's. Returns the number of rows compared."""
    rows = 0
    connection = database.connect(autocommit=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(PINNED)
            for name, (columns, source_rows) in source.tables.items():
                types = [t for _, t in columns]
                listed = ", ".join(as_text(c) for c, _ in columns)
                try:
                    cursor.execute(f"SELECT {listed} FROM {quote(name[0])}.{quote(name[1])}")
                    found = [tuple(map(canonical, types, row)) for row in cursor]
                except psycopg2.errors.UndefinedTable as error:
                    if source_rows:
                        raise Difference(f"postgres: {error}") from error
                    connection.rollback()
                    cursor.execute(PINNED)
                    continue
                rows += _compare("postgres", name, source, found)
    finally:
        connection.close()
    return rows


def sqlite_name(schema, table):
    """How the sqlite connector names a table: public.t is t, other schemas stay in front."""
    return table if schema == "public" else f"{schema}.{table}"


def compare_sqlite(source, path):
    rows = 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        connection.execute("BEGIN")
        for name, (columns, source_rows) in source.tables.items():
            listed = ", ".join(quote(c) for c, _ in columns)
            types = [t for _, t in columns]
            try:
                found = [tuple(map(canonical, types, row)) for row in connection.execute(
                    f"SELECT {listed} FROM {quote(sqlite_name(*name))}")]
            except sqlite3.OperationalError as error:
                if source_rows:
                    raise Difference(f"sqlite: {error}") from error
                continue
            rows += _compare("sqlite", name, source, found)
    finally:
        connection.close()
    return rows


def compare_file(source, path, on_commit=None):
    """Replays the file, checks it, compares what it builds. Returns the number of rows."""
    replay = Replay(path, on_commit)
    rows = 0
    for name, (columns, _) in source.tables.items():
        found = [tuple(canonical_embedded(type_name, row[column]) for column, type_name in columns)
                 for row in replay.table(*name).values()]
        rows += _compare("file", name, source, found)
    return rows
