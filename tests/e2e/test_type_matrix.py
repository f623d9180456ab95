"""Every type by insert, update, as a key and by delete, at every kind of target, as declared.

What a target must hold follows from the connectors' own type tables (the program type_tables prints
them) and from the source's text; what the connectors do is not asked for the expectation.
"""
import base64
import io
import json
import os
import sqlite3
import struct
import subprocess

from fanout_test import places
from fanout_test.canonical import PINNED
from fanout_test.case import Case, main
from fanout_test.type_values import INDEX_ONLY, PREPARE, SERVER_MADE, TYPES

KINDS = ("postgres", "sqlite", "file")
NOT_NUMBERS = {"NaN", "Infinity", "-Infinity"}


def tables_of_connectors():
    program = os.path.join(places.BUILD, "tests", "docs", "type_tables")
    tables = json.loads(subprocess.run([program], capture_output=True, check=True).stdout)
    return {kind: {row["oid"]: row for row in tables[kind]} for kind in KINDS}, \
        {kind["oid"] for kind in tables["types"]}


def as_text(kind):
    """The text a target gets: the output function's, but xml as it is stored."""
    if kind.name == "xml":
        return "v::text"
    # Not IS NULL: that is true for a composite whose fields are all null.
    return "CASE WHEN v IS NOT DISTINCT FROM NULL THEN NULL ELSE format('%s', v) END"


def key_of(table):
    return "id" if table.startswith("v") else "v"


class Matrix(Case):
    def setUp(self):
        self.tables, self.listed = tables_of_connectors()

    # ---- the source

    def prepare(self, stage):
        for database in (stage.shop, stage.copy):
            database.run(PREPARE)
        stage.shop.run("CREATE TABLE measured AS SELECT g % 10 AS a, g % 5 AS b "
                       "FROM generate_series(1, 1000) g")
        stage.shop.run("CREATE STATISTICS measured_s ON a, b FROM measured")
        stage.shop.run("ANALYZE measured")
        for number, kind in enumerate(TYPES):
            stage.shop.run(f"CREATE TABLE v{number} (id integer PRIMARY KEY, v {kind.name}, "
                           "other text)")
            if kind.keys:
                stage.shop.run(f"CREATE TABLE k{number} (v {kind.name} PRIMARY KEY, other text)")

    def write(self, stage):
        """Per type one transaction for values and one for keys; each value by INSERT and by UPDATE."""
        for number, kind in enumerate(TYPES):
            values = [f"{value}::{kind.name}" for value in kind.values]
            rows = ["(0, NULL, 'gone')"] if kind.name != "label" else []
            rows += [f"({at}, {value}, 'a')" for at, value in enumerate(values, 1)]
            rows += [f"({at + 100}, NULL, 'b')" for at in range(1, len(values) + 1)]
            statements = [f"INSERT INTO v{number} VALUES {', '.join(rows)}"]
            statements += [f"UPDATE v{number} SET v = {value} WHERE id = {at + 100}"
                           for at, value in enumerate(values, 1)]
            statements += [f"UPDATE v{number} SET other = 'c' WHERE id = 1",
                           f"DELETE FROM v{number} WHERE id = 0"]
            if len(values) > 1:
                statements.append(f"UPDATE v{number} SET v = NULL WHERE id = 2")
            self.run_all(stage, statements)
            if not kind.keys:
                continue
            keys = [f"{value}::{kind.name}" for value in kind.keys]
            self.assertGreaterEqual(len(keys), 3, kind.name)
            inserts = [f"INSERT INTO k{number} VALUES ({value}, 'a')" for value in keys[:-1]]
            self.run_all(stage, inserts)
            self.run_all(stage, [
                f"UPDATE k{number} SET other = 'b' WHERE v = {keys[0]}",
                f"UPDATE k{number} SET v = {keys[-1]} WHERE v = {keys[0]}",
                f"DELETE FROM k{number} WHERE v = {keys[1]}"])

    @staticmethod
    def run_all(stage, statements):
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def read(self, database, table, kind):
        """Rows as PostgreSQL's own text."""
        connection = database.connect()
        with connection.cursor() as cursor:
            cursor.execute(PINNED)
            cursor.execute(f"SELECT {key_of(table)}::text, {as_text(kind)}, other FROM {table}")
            rows = cursor.fetchall()
        connection.close()
        return sorted(rows, key=str)

    def base_types(self, database):
        return dict(database.run(
            "WITH RECURSIVE base AS (SELECT c.relname, t.oid, t.typbasetype, t.typtype "
            "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'v' "
            "JOIN pg_type t ON t.oid = a.atttypid WHERE c.relname ~ '^[vk][0-9]+$' AND relkind = 'r' "
            "UNION ALL SELECT b.relname, t.oid, t.typbasetype, t.typtype FROM base b "
            "JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd') "
            "SELECT relname, oid FROM base WHERE typtype <> 'd'"))

    def rule(self, connector, oid):
        return self.tables[connector].get(oid, self.tables[connector][0])

    # ---- what each target must hold

    def copied_bytes(self, database, table):
        connection, out = database.connect(), io.BytesIO()
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY (SELECT v FROM {table} ORDER BY {key_of(table)}) TO STDOUT "
                               "(FORMAT binary)", out)
        connection.close()
        return out.getvalue()

    def check_postgres(self, stage, table, kind, rows):
        self.assertEqual(self.read(stage.copy, table, kind), rows, f"postgres, {kind.name}")
        if kind.binary:
            self.assertEqual(self.copied_bytes(stage.copy, table), self.copied_bytes(stage.shop, table),
                             f"postgres, {kind.name}: not the same bits")

    def in_sqlite(self, oid, text):
        """(storage class, value) that the table declares for a value with this text."""
        target = self.rule("sqlite", oid)["target"]
        if text is None:
            return "null", None
        if target == "INTEGER":
            return "integer", {"t": 1, "f": 0}.get(text) if text in "tf" else int(text)
        if target == "REAL":
            if text == "NaN":
                return "text", text
            number = float(text.replace("Infinity", "inf"))
            if oid == 700:
                number = struct.unpack("f", struct.pack("f", number))[0]
            return "real", number + 0.0  # the negative zero has no sign there
        if target == "BLOB":
            return "blob", bytes.fromhex(text[2:])
        return "text", text

    def check_sqlite(self, database, table, kind, oid, rows):
        found = database.execute(f"SELECT typeof(v), v, other FROM {table}").fetchall()
        expected = [(*self.in_sqlite(oid, text), other) for _, text, other in rows]
        self.assertEqual(sorted(found, key=str), sorted(expected, key=str), f"sqlite, {kind.name}")

    def in_json(self, oid, text):
        target = self.rule("file", oid)["target"]
        if text is None:
            return None
        if target == "true, false":
            return text == "t"
        if target == "number":
            return text if text in NOT_NUMBERS else ("number", text)
        if target == "string, base64":
            return base64.b64encode(bytes.fromhex(text[2:])).decode()
        if target == "the value itself":
            return self.parse(text)
        return text

    @staticmethod
    def parse(text):
        as_number = lambda digits: ("number", digits)
        return json.loads(text, parse_float=as_number, parse_int=as_number)

    def replay(self, path):
        """Table → the last image of each row, by its position in the key's history."""
        tables = {}
        with open(path, encoding="utf-8", errors="strict") as file:
            for line in map(self.parse, file):
                rows = tables.setdefault(line["table"], {})
                key = repr(line["key"])
                if line["op"] == "delete":
                    del rows[key]
                elif line["op"] == "update" and line["before"] is not None:
                    del rows[repr({name: line["before"][name] for name in line["key"]})]
                    rows[key] = line["after"]
                elif line["op"] == "update":
                    rows[key] = {**rows[key], **line["after"]}
                else:
                    self.assertNotIn(key, rows)
                    rows[key] = line["after"]
        return tables

    def check_file(self, tables, table, kind, oid, rows):
        found = [(row["v"], row["other"]) for row in tables[table].values()]
        expected = [(self.in_json(oid, text), other) for _, text, other in rows]
        self.assertEqual(sorted(found, key=str), sorted(expected, key=str), f"file, {kind.name}")

    def check(self, stage):
        oids = self.base_types(stage.shop)
        database = sqlite3.connect(f"file:{stage.sqlite_path}?mode=ro", uri=True)
        lines = self.replay(stage.file_path)
        compared = 0
        for number, kind in enumerate(TYPES):
            for table in [f"v{number}"] + [f"k{number}"] * bool(kind.keys):
                rows = self.read(stage.shop, table, kind)
                oid = oids[table]
                with self.subTest(type=kind.name, table=table):
                    self.check_postgres(stage, table, kind, rows)
                with self.subTest(type=kind.name, table=table):
                    self.check_sqlite(database, table, kind, oid, rows)
                with self.subTest(type=kind.name, table=table):
                    self.check_file(lines, table, kind, oid, rows)
                compared += len(KINDS) * len(rows)
        database.close()
        print(f"{len(TYPES)} types, {sum(bool(kind.keys) for kind in TYPES)} of them as keys, "
              f"{compared} values compared", flush=True)

    # ---- the tests

    def test_every_type_arrives_as_declared(self):
        stage = self.stage()
        self.prepare(stage)
        for kind in KINDS:
            stage.subscribe(kind, ["/public\\.[vk][0-9]+/"])
        self.write(stage)
        stage.wait_for(*KINDS)
        self.check(stage)

    def test_no_type_of_the_server_is_left_out(self):
        stage = self.stage(install=False)
        stage.shop.run(PREPARE)
        there = stage.shop.run(
            "SELECT t.oid, format_type(t.oid, -1), e.extname IS NULL FROM pg_type t "
            "LEFT JOIN pg_depend d ON d.objid = t.oid AND d.classid = 'pg_type'::regclass "
            "AND d.deptype = 'e' LEFT JOIN pg_extension e ON e.oid = d.refobjid "
            "WHERE t.typtype IN ('b', 'r', 'm') AND t.typcategory <> 'A' AND t.typrelid = 0")
        tested = {stage.shop.value("SELECT %s::regtype::oid", (kind.name,))
                  for kind in TYPES}
        missing = [name for oid, name, _ in there if oid not in tested and name not in INDEX_ONLY]
        self.assertEqual(missing, [])
        built_in = {oid for oid, _, own in there if own and oid < 16384}
        self.assertEqual(built_in, self.listed)
        self.assertGreaterEqual(len(tested), 60)
        self.assertLess({kind.name for kind in SERVER_MADE}, {name for _, name, _ in there})


main()
