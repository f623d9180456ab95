"""Sources that are not UTF-8: every byte that leaves for a UTF-8 target is valid UTF-8, and the text
is the same, in the stream and in copies, as a value, as a key and in names."""
import json
import sqlite3

from fanout_test.case import Case, main
from fanout_test.daemon import Daemon
from fanout_test.postgres import Utf8Database
from fanout_test.processes import wait_until

# What is stored, and in which words a table of it is made.
SOURCES = {
    "LATIN1": ("Größe é ÿ ß", "maß_é"),
    "WIN1252": ("€ 5 “quoted” – Œuvre", "preis_€"),
    "EUC_JP": ("日本語テキスト ｶﾅ", "名前"),
    "EUC_KR": ("한국어", "이름"),
    "SQL_ASCII": ("plain", "name"),
}
# Bytes of the encoding that Unicode has no place for. Those of WIN1252 and SQL_ASCII end in ones
# that are UTF-8 by themselves: nobody may take them for that.
WITHOUT_FORM = {"WIN1252": b"caf\xe9 \xc3\x81", "EUC_JP": b"\xc6\xfc\xa9\xa1", "SQL_ASCII": b"\xe4\xff\x41\xc3\xa9"}
LONG = 40_000


def octal(stored):
    return "".join(f"\\{byte:03o}" for byte in stored)


def lines_of(path):
    """Every byte of the file is checked."""
    with open(path, "rb") as file:
        return [json.loads(line) for line in file.read().decode("utf-8", "strict").splitlines()]


def rows_of(path, query):
    database = sqlite3.connect(path)
    database.text_factory = lambda data: data.decode("utf-8", "strict")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


class SourceEncodings(Case):
    def source_in(self, encoding):
        stage = self.stage(install=False)
        stage.source.run(f"CREATE DATABASE other ENCODING '{encoding}' TEMPLATE template0 "
                         "LC_COLLATE 'C' LC_CTYPE 'C'")
        stage.shop.close()
        stage.shop = Utf8Database(stage.source, "other")
        stage.daemon = Daemon(stage.folder, stage.shop.dsn())
        return stage.install()

    def replayed(self, stage, table):
        rows = {}
        for event in lines_of(stage.file_path):
            if event["table"] != table or event["op"] == "message":
                continue
            before = event["before"] or event["key"]
            if event["op"] in ("update", "delete"):
                rows.pop(before["k"])
            if event["op"] != "delete":
                after = dict(event["after"])
                self.assertNotIn(after["k"], rows)
                rows[after["k"]] = after
        return sorted(tuple(row.values()) for row in rows.values())

    def arrives(self, encoding):
        text, name = SOURCES[encoding]
        stage = self.source_in(encoding)
        run = stage.shop.run
        table = f"t_{name}"
        run(f"""CREATE TABLE "{table}" (k text PRIMARY KEY, "{name}" text, a text[], c char(12), n name,
            v varchar(40), j json, b jsonb, e bytea)""")
        values = (text, text, [text, None], text[:8], text, text, json.dumps([text], ensure_ascii=False),
                  json.dumps({text: 1}, ensure_ascii=False), b"\xff\xc3\x81")
        insert = f'INSERT INTO "{table}" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)'
        for prefix in ("a", "b", "c"):
            run(insert, (prefix + text, *values[1:]))
        run(insert, ("long " + text, text * LONG, *values[2:]))
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, [f'public."{table}"'], backfill=True)
        self.wait_copied(stage)
        run(insert, values)
        run(insert, ("stream " + text, text * LONG, *values[2:]))
        run(f'UPDATE "{table}" SET k = k || %s WHERE k = %s', (text, "a" + text))
        run(f'UPDATE "{table}" SET "{name}" = %s WHERE k = %s', (text + text, "b" + text))
        run(f'DELETE FROM "{table}" WHERE k = %s', ("c" + text,))
        stage.wait_for("postgres", "sqlite", "file")
        query = f'SELECT * FROM "{table}" ORDER BY k COLLATE "C"'
        expected = run(query)
        self.assertEqual(len(expected), 5)
        self.assertEqual(expected, stage.copy.run(query))
        shown = run(f'SELECT k, "{name}", a::text, c, n::text, v, j::text, b::text, e FROM "{table}"')
        shown = sorted((*row[:8], bytes(row[8])) for row in shown)
        self.assertEqual(shown, sorted(rows_of(stage.sqlite_path, f'SELECT * FROM "{table}"')))
        replayed = [(*row[:6], json.dumps(row[6], ensure_ascii=False), json.dumps(row[7], ensure_ascii=False))
                    for row in self.replayed(stage, table)]
        self.assertEqual([row[:8] for row in shown], replayed)

    def wait_copied(self, stage):
        wait_until(lambda: f"copies: {stage.shop.run('SELECT * FROM fanout.backfills')}",
                   lambda: not stage.shop.run("SELECT 1 FROM fanout.backfills WHERE state <> 'complete'"))

    def has_no_form(self, encoding):
        """By policy, in the stream and in the copy alike; others are not held up."""
        stored = WITHOUT_FORM[encoding]
        stage = self.source_in(encoding)
        run = stage.shop.run
        run("CREATE TABLE t (id integer PRIMARY KEY, v text, a text[])")

        def insert(first):
            connection = stage.shop.connect(client_encoding=encoding)
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO t VALUES ({first}, E'{octal(stored)}', ARRAY[E'{octal(stored)}']), "
                               f"({first + 1}, 'ascii', '{{a}}')")
            connection.close()

        insert(1)
        for kind in ("sqlite", "file"):
            stage.subscribe(kind, ["public.t"], backfill=True)
        stage.subscribe("file", ["public.t"], name="nulls", backfill=True, target_options={
            "path": stage.file_path + ".nulls", "format": "json", "unrepresentable": "null"})
        self.wait_copied(stage)
        stage.subscribe("postgres", ["public.t"], on_reject="park")
        insert(3)
        stage.wait_for("postgres", "sqlite", "file", "nulls")
        rows = rows_of(stage.sqlite_path, "SELECT id, v, a FROM t ORDER BY id")
        hexadecimal = "\\x" + stored.hex()
        self.assertEqual([(i, v) for i, v, _ in rows],
                         [(1, hexadecimal), (2, "ascii"), (3, hexadecimal), (4, "ascii")])
        for _, _, array in rows[::2]:
            self.assertIn(stored, bytes.fromhex(array[2:]))
        lines = {line["after"]["id"]: line["after"] for line in lines_of(stage.file_path)}
        self.assertEqual([tuple(lines[i].values()) for i in sorted(lines)], rows)
        lines = {line["after"]["id"]: line["after"] for line in lines_of(stage.file_path + ".nulls")}
        self.assertEqual([lines[i]["v"] for i in sorted(lines)], [None, "ascii", None, "ascii"])
        self.assertEqual(stage.copy.run("SELECT id, v FROM t"), [(4, "ascii")])
        self.assertIn("UTF8", run("SELECT error FROM fanout.dead_letters")[0][0])

    def test_latin1(self):
        self.arrives("LATIN1")

    def test_win1252(self):
        self.arrives("WIN1252")

    def test_euc_jp(self):
        self.arrives("EUC_JP")

    def test_euc_kr(self):
        self.arrives("EUC_KR")

    def test_sql_ascii(self):
        self.arrives("SQL_ASCII")

    def test_win1252_without_form(self):
        self.has_no_form("WIN1252")

    def test_euc_jp_without_form(self):
        self.has_no_form("EUC_JP")

    def test_sql_ascii_without_form(self):
        self.has_no_form("SQL_ASCII")

    def test_another_encoding_in_the_dsn_is_refused(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("postgres", ["public.t"], target_options={
            "dsn": stage.copy.dsn() + " client_encoding=LATIN1"})
        stage.shop.run("INSERT INTO t VALUES (1)")
        row = stage.wait_state("postgres", "failed")
        self.assertIn("sets client_encoding to LATIN1", row["last_error"])


main()
