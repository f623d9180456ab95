"""All kinds of replica identity, partitions, and tables that change their shape or name."""
from fanout_test.case import Case, main

KINDS = ("postgres", "sqlite", "file")


class Identity(Case):
    def test_every_kind_of_replica_identity(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE def (a integer, b text, c text, PRIMARY KEY (b, a))")
        run("CREATE TABLE full_key (id integer PRIMARY KEY, b text, c numeric)")
        run("ALTER TABLE full_key REPLICA IDENTITY FULL")
        run("CREATE TABLE full_bare (a integer, b text)")
        run("ALTER TABLE full_bare REPLICA IDENTITY FULL")
        run("CREATE TABLE by_index (a integer NOT NULL, b text NOT NULL, c text)")
        run("CREATE UNIQUE INDEX by_index_b ON by_index (b)")
        run("ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b")
        stage.tables += ["public.def", "public.full_key", "public.full_bare", "public.by_index"]
        for kind in KINDS:
            stage.subscribe(kind, ["public.*"])
        for table in ("def", "full_key", "by_index"):
            run(f"INSERT INTO {table} SELECT g, 'b' || g, g FROM generate_series(1, 20) g")
            run(f"UPDATE {table} SET c = '77' WHERE b = 'b3'")
            run(f"UPDATE {table} SET b = 'moved' WHERE b = 'b4'")
            run(f"UPDATE {table} SET b = b || 'x' WHERE b > 'b5'")
            run(f"DELETE FROM {table} WHERE b IN ('b1', 'moved')")
        run("INSERT INTO full_bare SELECT g, 'b' || g FROM generate_series(1, 10) g")
        run("UPDATE full_bare SET b = NULL WHERE a = 2")
        run("UPDATE full_bare SET a = NULL WHERE a = 3")
        run("UPDATE full_bare SET b = 'again' WHERE b IS NULL")
        run("DELETE FROM full_bare WHERE a IS NULL OR a = 5")
        self.assertGreater(stage.compare(), 60)

    def test_a_table_without_identity_takes_inserts_only(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE log (at integer, what text)")
        stage.tables.append("public.log")
        for kind in ("postgres", "sqlite"):
            stage.subscribe(kind, ["public.log"])
        stage.shop.run("INSERT INTO log VALUES (1, 'a'), (2, 'b')")
        self.assertEqual(stage.compare("postgres", "sqlite"), 2)

    def test_partitions_and_inheritance(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE parts (id integer, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)")
        run("CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100)")
        run("CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (200)")
        stage.tables += ["public.parts_low", "public.parts_high"]
        for kind in KINDS:
            stage.subscribe(kind, ["public.*"])
        run("INSERT INTO parts SELECT g, 'v' FROM generate_series(90, 110) g")
        run("UPDATE parts SET id = id + 100 WHERE id = 95")  # moves to the other partition
        run("DELETE FROM parts WHERE id = 100")
        self.assertEqual(stage.compare(), 20)

    def test_ddl_between_and_inside_transactions(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE d (id integer PRIMARY KEY, a text, b integer)")
        stage.tables.append("public.d")
        stage.subscribe("file", ["public.d"])
        run("INSERT INTO d VALUES (1, 'x', 1)")
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO d VALUES (2, 'y', 2)")
            cursor.execute("ALTER TABLE d DROP COLUMN a")
            cursor.execute("INSERT INTO d VALUES (3, 3)")
            cursor.execute("ALTER TABLE d ADD COLUMN c text")
            cursor.execute("INSERT INTO d VALUES (4, 4, 'z')")
        connection.close()
        stage.wait_for("file")
        import json
        with open(stage.file_path, encoding="utf-8") as file:
            rows = [json.loads(line)["after"] for line in file]
        self.assertEqual(rows, [{"id": 1, "a": "x", "b": 1}, {"id": 2, "a": "y", "b": 2},
                                {"id": 3, "b": 3}, {"id": 4, "b": 4, "c": "z"}])

    def test_names_that_swap(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE one (id integer PRIMARY KEY)")
        run("CREATE TABLE two (id integer PRIMARY KEY)")
        stage.tables += ["public.one", "public.two"]
        stage.subscribe("file", ["public.*"])
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO one VALUES (1)")
            cursor.execute("ALTER TABLE one RENAME TO three")
            cursor.execute("ALTER TABLE two RENAME TO one")
            cursor.execute("ALTER TABLE three RENAME TO two")
            cursor.execute("INSERT INTO one VALUES (2)")
        connection.close()
        stage.wait_for("file")
        import json
        with open(stage.file_path, encoding="utf-8") as file:
            rows = [(line["table"], line["after"]["id"]) for line in map(json.loads, file)]
        self.assertEqual(rows, [("one", 1), ("one", 2)])


main()
