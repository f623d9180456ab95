"""Sources that are not UTF-8: every byte that leaves for a UTF-8 target is valid UTF-8."""
import json
import sqlite3

from fanout_test.case import Case, main
from fanout_test.daemon import Daemon
from fanout_test.postgres import Database

# Stored bytes that are text in the encoding, and none in UTF-8.
SOURCES = {
    "LATIN1": b"caf\xe9 na\xefve",
    "WIN1252": b"\x80 5 \x93quoted\x94",
    "EUC_JP": b"\xc6\xfc\xcb\xdc\xb8\xec",
    "SQL_ASCII": b"\xff\xfe broken \xe4",
}


class SourceEncodings(Case):
    def source_in(self, encoding):
        stage = self.stage(install=False)
        stage.source.run(f"CREATE DATABASE other ENCODING '{encoding}' TEMPLATE template0 "
                         "LC_COLLATE 'C' LC_CTYPE 'C'")
        stage.shop.close()
        stage.shop = Database(stage.source, "other")
        stage.daemon = Daemon(stage.folder, stage.shop.dsn())
        return stage.install()

    def arrives_as_utf8(self, encoding):
        stored = SOURCES[encoding]
        stage = self.source_in(encoding)
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, v text, a text[])")
        for kind in ("sqlite", "file"):
            stage.subscribe(kind, ["public.t"])
        octal = "".join(f"\\{byte:03o}" for byte in stored)
        stage.shop.run(f"SET client_encoding = '{encoding}'")
        stage.shop.run(f"INSERT INTO t VALUES (1, E'{octal}', ARRAY[E'{octal}']), (2, 'ascii', '{{a}}')")
        stage.wait_for("sqlite", "file")
        with open(stage.file_path, "rb") as file:
            lines = [json.loads(line)["after"] for line in file.read().decode("utf-8", "strict").splitlines()]
        database = sqlite3.connect(stage.sqlite_path)
        database.text_factory = lambda data: data.decode("utf-8", "strict")
        rows = [dict(zip(("id", "v", "a"), row)) for row in
                database.execute("SELECT id, v, a FROM t ORDER BY id")]
        database.close()
        self.assertEqual(lines, rows)
        self.assertEqual(rows[1], {"id": 2, "v": "ascii", "a": "{a}"})
        self.assertEqual(rows[0]["v"], "\\x" + stored.hex())
        self.assertTrue(rows[0]["a"].startswith("\\x"))
        self.assertIn(stored, bytes.fromhex(rows[0]["a"][2:]))

    def test_latin1(self):
        self.arrives_as_utf8("LATIN1")

    def test_win1252(self):
        self.arrives_as_utf8("WIN1252")

    def test_euc_jp(self):
        self.arrives_as_utf8("EUC_JP")

    def test_sql_ascii(self):
        self.arrives_as_utf8("SQL_ASCII")


main()
