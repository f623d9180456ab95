"""Logical messages: routed by prefix to whom asks for them, in their place; refused by others."""
import hashlib
import json

from fanout_test.case import Case, main


class Messages(Case):
    def lines(self, stage):
        with open(stage.file_path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def emit(self, stage, transactional, prefix, content):
        stage.shop.run("SELECT pg_logical_emit_message(%s, %s, %s::text)", (transactional, prefix, content))

    def test_by_prefix_and_in_order(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("file", ["public.t"], messages=["audit", "app.*"])
        stage.subscribe("file", ["public.t"], name="silent",
                        target_options={"path": stage.file_path + ".silent", "format": "json"})
        self.emit(stage, False, "audit", "outside")
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
            cursor.execute("SELECT pg_logical_emit_message(true, 'app.one', 'first')")
            cursor.execute("SELECT pg_logical_emit_message(true, 'audit.more', 'not chosen')")
            cursor.execute("SAVEPOINT s")
            cursor.execute("SELECT pg_logical_emit_message(true, 'app.one', 'rolled back')")
            cursor.execute("ROLLBACK TO s")
            cursor.execute("SELECT pg_logical_emit_message(true, 'audit', %s::bytea)", (b"\x00\xff",))
            cursor.execute("INSERT INTO t VALUES (2)")
        connection.close()
        connection = stage.shop.connect(autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_logical_emit_message(true, 'audit', 'never')")
            cursor.execute("SELECT pg_logical_emit_message(false, 'audit', 'all the same')")
        connection.rollback()
        connection.close()
        stage.shop.run("INSERT INTO t VALUES (3)")
        stage.wait_for("file", "silent")
        shown = [(line["op"], line.get("content") or line["key"]["id"]) for line in self.lines(stage)]
        self.assertEqual(shown, [("message", "outside"), ("insert", 1), ("message", "first"), ("message", "AP8="),
                                 ("insert", 2), ("message", "all the same"), ("insert", 3)])
        with open(stage.file_path + ".silent", encoding="utf-8") as file:
            self.assertEqual([json.loads(line)["op"] for line in file], ["insert"] * 3)

    def test_changed_while_it_streams(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("file", ["public.t"])
        self.emit(stage, True, "a", "1")
        stage.wait_for("file")
        stage.shop.run("SELECT fanout.alter_subscription('file', '{\"messages\": [\"*\"]}')")
        stage.shop.run("INSERT INTO t VALUES (1)")
        stage.wait_for("file")
        self.emit(stage, True, "a", "2")
        self.emit(stage, False, "pg_fanout.forged", "3")
        stage.wait_for("file")
        self.assertEqual([line["content"] for line in self.lines(stage) if line["op"] == "message"], ["2"])

    def test_a_hundred_megabytes(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("file", ["public.t"], messages=["*"])
        stage.subscribe("postgres", ["public.t"])
        size = 100_000_000
        for transactional in (True, False):
            self.emit(stage, transactional, "large", "x" * 10)
            stage.shop.run("SELECT pg_logical_emit_message(%s, 'large', repeat('0123456789', %s))",
                           (transactional, size // 10))
        stage.shop.run("INSERT INTO t VALUES (1)")
        stage.wait_for("file", "postgres")
        self.assertEqual(stage.copy.run("SELECT * FROM t"), [(1,)])
        large = [line["content"] for line in self.lines(stage) if line["op"] == "message"][1::2]
        wanted = hashlib.sha256(b"0123456789" * (size // 10)).hexdigest()
        self.assertEqual([hashlib.sha256(text.encode()).hexdigest() for text in large], [wanted] * 2)

    def test_sql_targets_refuse_them_at_creation(self):
        stage = self.stage(start=False)
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        for kind in ("postgres", "sqlite"):
            self.refused(lambda k=kind: stage.subscribe(k, ["public.t"], messages=["audit"]),
                         f'connector "{kind}" does not support option "messages"', sqlstate="22023")


main()
