"""Secondary indexes arrive behind the rows of a copy: all kinds, once, and never at the rows' expense."""
import json
import os
import random
import time

import psycopg2

from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase, Writer
from fanout_test.processes import wait_until

KINDS = '''
CREATE TABLE item (id integer PRIMARY KEY, code text NOT NULL, price numeric, tags text[], note text,
    span int4range, late integer, rest integer);
INSERT INTO item SELECT i, 'Code ' || i, i / 7.0, ARRAY['t' || i % 9, 'all'], 'note ' || i % 50,
    int4range(i * 10, i * 10 + 5), i, nullif(i % 100000, 1) FROM generate_series(1, 4000) i;
CREATE INDEX item_price ON item (price DESC NULLS LAST, id) WITH (fillfactor = 70);
CREATE UNIQUE INDEX "Item ON ONLY ""Code""" ON item (lower(code));
CREATE INDEX item_dear ON item (code text_pattern_ops) WHERE price > 100 AND note <> 'it''s';
CREATE UNIQUE INDEX item_included ON item (code COLLATE "C") INCLUDE (note);
CREATE INDEX item_tags ON item USING gin (tags);
CREATE INDEX item_hash ON item USING hash (note);
CREATE UNIQUE INDEX item_rest ON item (rest) NULLS NOT DISTINCT;
ALTER TABLE item ADD CONSTRAINT item_code UNIQUE (code);
ALTER TABLE item ADD CONSTRAINT item_late UNIQUE (late) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE item ADD CONSTRAINT item_span EXCLUDE USING gist (span WITH &&);
CREATE INDEX item_broken ON item (note);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'item_broken'::regclass;
CREATE TABLE named (a integer, code integer NOT NULL, n integer);
CREATE UNIQUE INDEX named_code ON named (code);
CREATE INDEX named_n ON named (n);
ALTER TABLE named REPLICA IDENTITY USING INDEX named_code;
INSERT INTO named SELECT i, i, i FROM generate_series(1, 100) i'''

INDEXES = """SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid = %s::regclass AND NOT i.indisprimary AND i.indisvalid ORDER BY 1"""


class Indexes(CopyCase):
    def indexes(self, database, table):
        return dict(database.run(INDEXES, (table,)))

    def copy_of(self, stage, table):
        return stage.shop.row("SELECT * FROM fanout.backfills WHERE table_name = %s", (table,))

    def items(self, stage, count=3000):
        self.rows(stage, "item", count)
        stage.shop.run("CREATE INDEX item_n ON item (n); CREATE UNIQUE INDEX item_note ON item (note); "
                       "CREATE INDEX item_both ON item (note, n)")

    def test_every_kind_behind_the_rows(self):
        stage = self.stage()
        stage.shop.run(KINDS)
        stage.tables += ["public.item", "public.named"]
        # So slow that the copy is under way while its indexes are looked for.
        stage.subscribe("postgres", **SMALL, rows_per_second=100)
        wait_until("rows arrive", lambda: (self.copy_of(stage, "item") or {}).get("rows_done"))
        self.assertEqual(self.indexes(stage.copy, "item"), {})
        stage.shop.run("SELECT fanout.alter_subscription('postgres', '{\"rows_per_second\": null}')")
        self.finished(stage, "postgres")
        expected = self.indexes(stage.shop, "item")
        del expected["item_span"]
        expected["item_late"] = expected["item_late"].replace("UNIQUE ", "")
        self.assertEqual(len(expected), 9)
        self.assertEqual(self.indexes(stage.copy, "item"), expected)
        self.assertEqual(list(self.indexes(stage.copy, "named")), ["named_n"])
        copy = self.copy_of(stage, "item")
        self.assertEqual((copy["detail"], copy["last_error"]),
                         ("not carried: item_span (exclusion constraint)", None))
        self.assertEqual(stage.compare("postgres"), 4100)
        # What was regrouped freely before has to keep to the order of unique values now.
        stage.daemon.stop()
        stage.shop.run("UPDATE item SET code = 'x' WHERE id = 2")
        stage.shop.run("UPDATE item SET code = 'Code 2' WHERE id = 1; "
                       "UPDATE item SET code = 'Code 1' WHERE id = 2")
        stage.shop.run("UPDATE item SET late = 4001 - late")
        stage.shop.run("DELETE FROM item WHERE id = 9; INSERT INTO item VALUES (9, 'code 9', 9, '{}', 'n', 'empty', 5001, 9)")
        stage.daemon.start()
        stage.compare("postgres")
        self.assertEqual(stage.status("postgres")["retries"], 0)

    def test_dropped_at_the_source(self):
        stage = self.stage()
        self.items(stage, 100)
        stage.subscribe("postgres", **SMALL)
        self.finished(stage, "postgres")
        stage.shop.run("ALTER TABLE item ALTER COLUMN n TYPE bigint; ALTER TABLE item ALTER COLUMN note TYPE varchar(50)")
        stage.wait_for("postgres")
        self.assertEqual(set(self.indexes(stage.copy, "item")), {"item_n", "item_note", "item_both"})
        # The unique one would refuse the row that follows.
        stage.shop.run("DROP INDEX item_note; INSERT INTO item VALUES (1000, 1000, 'row 1')")
        stage.compare("postgres")
        self.assertEqual(set(self.indexes(stage.copy, "item")), {"item_n", "item_both"})
        stage.shop.run("ALTER TABLE item ADD CONSTRAINT item_again UNIQUE (id, n); ALTER TABLE item DROP COLUMN n")
        stage.compare("postgres")
        self.assertEqual(self.indexes(stage.copy, "item"), {})

    def test_under_the_name_of_the_root(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE part (id integer, n integer, PRIMARY KEY (id)) PARTITION BY HASH (id); "
                       "CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0); "
                       "CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1); "
                       "CREATE INDEX part_n ON part (n); CREATE INDEX ON part_0 (n, id); "
                       "INSERT INTO part SELECT i, i FROM generate_series(1, 900) i")
        stage.subscribe("postgres", ["public.part"], via_root=True, **SMALL)
        self.finished(stage, "postgres")
        self.assertEqual(self.indexes(stage.copy, "part"),
                         {"part_n": "CREATE INDEX part_n ON public.part USING btree (n)"})

    def test_killed_behind_each_of_them(self):
        stage = self.stage(start=False)
        self.items(stage)
        stage.daemon.env = {"FANOUT_FAULTS": "postgres.index_created:1:crash",
                            "FANOUT_FAULT_DIR": stage.folder}
        marker = os.path.join(stage.folder, "postgres.index_created.hit")
        stage.daemon.start()
        chance = random.Random(seed())
        writer = Writer(stage.shop, lambda cursor: (time.sleep(0.01), cursor.execute(
            "UPDATE item SET n = n + 1 WHERE id = %s", (chance.randrange(3000),))))
        writer.start()
        stage.subscribe("postgres", **SMALL)
        for number in range(1, 4):
            wait_until("fanoutd dies", lambda: not stage.daemon.running())
            self.assertTrue(os.path.exists(marker))
            self.assertEqual(len(self.indexes(stage.copy, "item")), number)
            os.remove(marker)
            if number == 3:
                stage.daemon.env = {}
            stage.daemon.start()
        self.finished(stage, "postgres")
        writer.finish()
        stage.compare("postgres")
        self.assertEqual(self.indexes(stage.copy, "item"), self.indexes(stage.shop, "item"))
        self.assertIsNone(self.copy_of(stage, "item")["last_error"])

    def test_one_that_cannot_be_made(self):
        stage = self.stage()
        self.items(stage)
        function = ("CREATE FUNCTION public.twice(integer) RETURNS integer LANGUAGE sql IMMUTABLE "
                    "AS 'SELECT $1 * 2'")
        stage.shop.run(function)
        stage.shop.run("CREATE INDEX item_twice ON item (public.twice(n)); CREATE INDEX item_last ON item (n, id)")
        stage.subscribe("postgres", **SMALL)
        self.finished(stage, "postgres")
        stage.compare("postgres")
        self.assertEqual(set(self.indexes(stage.copy, "item")),
                         {"item_n", "item_note", "item_both", "item_last"})
        remedy = "CREATE INDEX item_twice ON public.item USING btree (public.twice(n));"

        def is_told():
            copy = self.copy_of(stage, "item")
            self.assertEqual(copy["state"], "complete")
            self.assertIn("index item_twice was not made: ", copy["last_error"])
            self.assertIn("function public.twice(integer) does not exist", copy["last_error"])
            self.assertEqual(copy["last_error_hint"], remedy)
            check = stage.shop.row("SELECT * FROM fanout.check() WHERE item LIKE 'backfill of %'")
            self.assertEqual((check["state"], check["remedy"]), ("warning", remedy))
            self.assertIn("item_twice", check["detail"])
        is_told()
        self.assertIn("by hand", stage.daemon.log_text())
        stage.daemon.stop()
        stage.shop.run("UPDATE fanout.backfill_status SET last_error = NULL, last_error_hint = NULL")
        stage.daemon.start()
        wait_until("it is told again", lambda: self.copy_of(stage, "item")["last_error"])
        is_told()
        stage.copy.run(function)
        stage.copy.run(remedy)
        stage.shop.run("UPDATE item SET n = n + 1")
        stage.compare("postgres")
        # The next copy of the table finds it.
        stage.shop.run("SELECT fanout.resync('postgres', ARRAY['public.item'])")
        self.finished(stage, "postgres")
        self.assertIsNone(self.copy_of(stage, "item")["last_error"])
        self.assertEqual(len(self.indexes(stage.copy, "item")), 5)

    def test_whose_tables_get_them(self):
        stage = self.stage()
        self.items(stage, 50)
        premade = "CREATE TABLE item (id integer PRIMARY KEY, n integer, note text)"
        databases = {}
        for name, options, is_there, expected in (
                ("plain", {"create_tables": True}, False, 3),
                ("without", {"create_tables": True, "create_indexes": False}, False, 0),
                ("theirs", {"create_tables": True}, True, 0),
                ("none", {"create_tables": False}, True, 0),
                ("asked", {"create_tables": False, "create_indexes": True}, True, 3)):
            database = databases[name] = stage.target.create_database(name)
            if is_there:
                database.run(premade)
            stage.subscribe("postgres", name=name, target_options={"dsn": database.dsn()}, **SMALL, **options)
            self.finished(stage, name)
            self.assertEqual(len(self.indexes(database, "item")), expected, name)
        # Asked for later, they come with the next copy.
        stage.shop.run("SELECT fanout.alter_subscription('without', '{\"create_indexes\": true, "
                       "\"on_nonempty\": \"upsert\"}')")
        stage.shop.run("SELECT fanout.resync('without')")
        self.finished(stage, "without")
        self.assertEqual(len(self.indexes(databases["without"], "item")), 3)
        for database in databases.values():
            database.close()
        with self.assertRaisesRegex(psycopg2.Error, 'does not support option "create_indexes"'):
            stage.subscribe("file", create_indexes=True)

    def test_masked_and_missing_columns(self):
        stage = self.stage()
        self.rows(stage, "person", 500, "id integer PRIMARY KEY, mail text, name text, own text",
                  "i, 'm' || i, 'n' || i, 'o' || i")
        stage.shop.run("CREATE UNIQUE INDEX person_mail ON person (mail); CREATE INDEX person_plain ON person (mail); "
                       "CREATE INDEX person_lower ON person (lower(mail)); CREATE INDEX person_own ON person (own); "
                       "CREATE INDEX person_part ON person (id) WHERE own > 'o4'; CREATE INDEX person_name ON person (name)")
        stage.subscribe("postgres", [json.dumps({"table": "public.person", "columns": ["id", "mail", "name"],
                                                 "masks": {"mail": "last4"}})], **SMALL)
        self.finished(stage, "postgres")
        self.assertEqual(set(self.indexes(stage.copy, "person")), {"person_plain", "person_name"})
        self.assertEqual(self.copy_of(stage, "person")["detail"],
                         "not carried: person_mail (column mail is masked), person_lower (column mail is masked), "
                         "person_own (column own is not carried), person_part (column own is not carried)")

    def test_one_that_takes_long(self):
        stage = self.stage()
        self.items(stage, 500)
        stage.copy.run("CREATE TABLE item (id integer PRIMARY KEY, n integer, note text)")
        blocker = stage.copy.connect(autocommit=False)
        blocker.cursor().execute("LOCK TABLE item IN ROW EXCLUSIVE MODE")
        stage.subscribe("postgres", create_indexes=True, **SMALL)

        def is_building():
            copy = self.copy_of(stage, "item") or {}
            return (copy.get("state"), copy.get("detail")) == ("indexing", "creating index item_n")
        wait_until("the view says so", is_building)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%%' AND wait_event_type = 'Lock'"
        wait_until("it waits for the lock", lambda: stage.copy.value(waits) == 1)
        begun = time.monotonic()
        self.assertEqual(stage.daemon.stop(), 0)
        self.assertLess(time.monotonic() - begun, 30)
        wait_until("the target has stopped, too", lambda: stage.copy.value(waits) == 0)
        stage.daemon.start()
        wait_until("it begins again", lambda: stage.copy.value(waits) == 1)
        stage.copy.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%%' "
                       "AND wait_event_type = 'Lock'")
        wait_until("the next one's turn", lambda: "item_note" in (self.copy_of(stage, "item")["detail"] or ""))
        blocker.rollback()
        blocker.close()
        self.finished(stage, "postgres")
        self.assertEqual(set(self.indexes(stage.copy, "item")), {"item_note", "item_both"})
        self.assertIn("item_n was not made", self.copy_of(stage, "item")["last_error"])
        stage.compare("postgres")


main()
