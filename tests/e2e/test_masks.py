"""Masks: the clear value never leaves the server, and copy and stream carry the same in its place."""
import json
import os
import random
import sqlite3

from fanout_test.case import Case, main, seed
from fanout_test.processes import wait_until

SECRETS = ("alice@example.org", "bob@example.org", "carol@example.org", "4111111111111234", "1985-03-04")


class Masks(Case):
    def wait_copied(self, stage):
        wait_until(lambda: f"copies: {stage.shop.run('SELECT * FROM fanout.backfills')}",
                   lambda: not stage.shop.run("SELECT 1 FROM fanout.backfills WHERE state <> 'complete'"))

    def masked(self, stage, table, columns, masks):
        """The rows as they have to arrive, by SQL alone."""
        shown = [f"fanout._mask({c}, '{masks[c]}', a{i}.atttypmod, s.secret)" if c in masks else c
                 for i, c in enumerate(columns)]
        joins = " ".join(f"JOIN pg_attribute a{i} ON a{i}.attrelid = '{table}'::regclass AND a{i}.attname = '{c}'"
                         for i, c in enumerate(columns) if c in masks)
        return sorted(stage.shop.run(f"SELECT {', '.join(shown)} FROM {table} JOIN fanout.mask_secret s ON true {joins}"),
                      key=str)

    def entry(self, masks):
        return json.dumps({"table": "public.people", "masks": masks})

    def nothing_leaks(self, stage, but=()):
        folders = [stage.sqlite_path, stage.sqlite_path + "-wal", stage.file_path]
        for folder, _, names in os.walk(stage.daemon.state):
            folders += [os.path.join(folder, name) for name in names]
        for path in filter(os.path.exists, folders):
            with open(path, "rb") as file:
                content = file.read()
            for secret in SECRETS:
                if secret not in but:
                    self.assertNotIn(secret.encode(), content, path)

    def test_stream_and_copy_carry_the_same(self):
        chosen = random.Random(seed())
        stage = self.stage()
        run = stage.shop.run
        run("""CREATE TABLE people (id integer PRIMARY KEY, email text, card varchar(30), born date,
            score numeric(8,2) NOT NULL, ref uuid, note text)""")
        run("ALTER TABLE people ALTER COLUMN email SET STORAGE EXTERNAL")
        columns = ["id", "email", "card", "born", "score", "ref", "note"]
        masks = {"email": "hash", "card": "last4", "born": "null", "score": "redact", "ref": "hash", "note": "redact"}

        def value():
            return (chosen.choice(SECRETS[:3]) * chosen.choice((1, 1, 300)), chosen.choice((None, SECRETS[3])), SECRETS[4],
                    chosen.random() * 1000, "2b6f0cc9-04d1-4be7-8a4b-1b7a8a6b0a11", chosen.choice((None, "a note")))

        for i in range(1, 60):
            run("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s)", (i, *value()))
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, [self.entry(masks)], backfill=True)
        for i in range(60, 120):
            run("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s)", (i, *value()))
            run("UPDATE people SET (email, card, born, score, ref, note) = (%s, %s, %s, %s, %s, %s) WHERE id = %s",
                (*value(), chosen.randint(1, i)))
            run("UPDATE people SET score = score + 1 WHERE id = %s", (chosen.randint(1, i),))
            run("DELETE FROM people WHERE id = %s", (chosen.randint(1, i),))
        self.wait_copied(stage)
        stage.wait_for("postgres", "sqlite", "file")
        expected = self.masked(stage, "people", columns, masks)
        self.assertEqual(expected, sorted(stage.copy.run("SELECT * FROM people"), key=str))
        database = sqlite3.connect(stage.sqlite_path)
        rows = database.execute("SELECT id, email, card, born, ref, note FROM people").fetchall()
        database.close()
        self.assertEqual(sorted(rows, key=str), sorted(((*row[:4], row[5], row[6]) for row in expected), key=str))
        self.nothing_leaks(stage)

    def test_a_hashed_key_finds_its_row(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE people (email varchar(80) PRIMARY KEY, visits integer)")
        for email in SECRETS[:3]:
            run("INSERT INTO people VALUES (%s, 0)", (email,))
        stage.subscribe("postgres", [self.entry({"email": "hash"})], backfill=True)
        stage.subscribe("file", [self.entry({"email": "hash"})], backfill=True)
        for i in range(20):
            run("UPDATE people SET visits = visits + 1 WHERE email = %s", (SECRETS[i % 3],))
        self.wait_copied(stage)
        run("UPDATE people SET email = 'new@example.org' WHERE email = %s", (SECRETS[1],))
        run("DELETE FROM people WHERE email = %s", (SECRETS[0],))
        stage.wait_for("postgres", "file")
        expected = self.masked(stage, "people", ["email", "visits"], {"email": "hash"})
        self.assertEqual(len(expected), 2)
        self.assertEqual(expected, sorted(stage.copy.run("SELECT * FROM people"), key=str))
        self.nothing_leaks(stage)

    def test_one_table_masked_for_one_and_clear_for_another(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE people (id integer PRIMARY KEY, email text)")
        run("ALTER TABLE people REPLICA IDENTITY FULL")
        stage.subscribe("postgres", ["public.people"])
        stage.subscribe("sqlite", [self.entry({"email": "redact"})])
        run("INSERT INTO people VALUES (1, 'a'), (2, 'b')")
        run("UPDATE people SET email = 'c' WHERE id = 1")
        run("DELETE FROM people WHERE id = 2")
        stage.wait_for("postgres", "sqlite")
        self.assertEqual(stage.copy.run("SELECT * FROM people"), [(1, "c")])
        database = sqlite3.connect(stage.sqlite_path)
        self.assertEqual(database.execute("SELECT * FROM people").fetchall(), [(1, "***")])
        database.close()

    def test_a_row_that_cannot_be_judged_does_not_tell(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE people (id text PRIMARY KEY, n integer)")
        run("ALTER TABLE people REPLICA IDENTITY FULL")
        stage.subscribe("file", [json.dumps({"table": "public.people", "where": "100 / n > 0",
                                             "masks": {"id": "hash"}})])
        run("INSERT INTO people VALUES (%s, 0)", (SECRETS[0],))
        row = stage.wait_state("file", "failed")
        self.assertIn("could not be evaluated for the row (id)=(?)", row["last_error"])
        self.nothing_leaks(stage)

    def test_a_table_that_no_longer_fits_stops(self):
        stage = self.stage()
        run = stage.shop.run
        run("CREATE TABLE people (id integer PRIMARY KEY, born date)")
        stage.subscribe("file", [self.entry({"born": "null"})])
        run("INSERT INTO people VALUES (1, %s)", (SECRETS[4],))
        stage.wait_for("file")
        run("ALTER TABLE people ALTER COLUMN born SET NOT NULL")
        run("INSERT INTO people VALUES (2, %s)", (SECRETS[4],))
        row = stage.wait_state("file", "failed")
        self.assertIn('column "born" of people cannot be masked so: It is NOT NULL', row["last_error"])
        self.nothing_leaks(stage)


main()
