"""The schema of a table changes in every way at random, while writers change its rows and it is copied
again and again: exact. FANOUT_TEST_SECONDS makes it longer.
"""
import os
import random
import threading
import time

import psycopg2

from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase, Writer

SECONDS = float(os.environ.get("FANOUT_TEST_SECONDS", 10))
KEYS = 3000
COLUMNS = "id integer PRIMARY KEY, n integer, note varchar(40), alt integer NOT NULL DEFAULT 1"
VALUES = "i, i, repeat('n', i % 40), i"
# while somebody changes the schema, a statement may meet a name that is gone
GONE = (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn,
        psycopg2.errors.QueryCanceled, psycopg2.errors.FeatureNotSupported)


class SchemaChanger(threading.Thread):
    """Changes the one table in every way it knows, at random, until told to stop."""

    def __init__(self, database, chance, steps, pause):
        super().__init__(daemon=True)
        self.database, self.chance, self.pause = database, chance, pause
        self.steps = [getattr(self, name) for name in steps]
        self.table, self.extra, self.serial, self.wide_key = "t", {}, 0, False
        self.bigint, self.done, self.log, self.slowest = False, {}, [], (0, "")
        self.stop_asked, self.error = threading.Event(), None

    def run(self):
        connection = self.database.connect(autocommit=False)
        try:
            with connection.cursor() as cursor:
                while not self.stop_asked.is_set():
                    before = (self.table, dict(self.extra), self.wide_key, self.bigint)
                    try:
                        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
                            step = self.chance.choice(self.steps)
                            for statement in step():
                                self.log.append(statement)
                                begun = time.monotonic()
                                cursor.execute(statement)
                                self.slowest = max(self.slowest, (time.monotonic() - begun, statement))
                            self.done[step.__name__] = self.done.get(step.__name__, 0) + 1
                        connection.commit()
                    except (psycopg2.errors.DeadlockDetected, psycopg2.IntegrityError) as error:
                        self.log.append(f"-- undone: {error}")
                        connection.rollback()
                        self.table, self.extra, self.wide_key, self.bigint = before
                    self.stop_asked.wait(self.chance.random() * self.pause)
        except Exception as error:  # noqa: BLE001  told to the test by finish()
            self.error = error
        connection.close()

    def finish(self):
        self.stop_asked.set()
        self.join(60)
        if self.error:
            raise self.error

    def alter(self, text):
        return [f"ALTER TABLE {self.table} {text}"]

    def column(self):
        return self.chance.choice(sorted(self.extra)) if self.extra else None

    def add_column(self):
        if len(self.extra) > 3:
            return self.drop_column()
        self.serial += 1
        name = self.chance.choice((f"c{self.serial}", "again"))
        if name in self.extra:
            return []
        self.extra[name] = True
        return self.alter(f"ADD {name} integer " + self.chance.choice(
            ("", "DEFAULT 7", "DEFAULT 5 NOT NULL", "DEFAULT (random() * 1000)::integer")))

    def drop_column(self):
        name = self.column()
        if name is None:
            return []
        del self.extra[name]
        return self.alter(f"DROP {name}")

    def rename_column(self):
        name = self.column()
        if name is None:
            return []
        self.serial += 1
        del self.extra[name]
        self.extra[f"r{self.serial}"] = True
        return self.alter(f"RENAME {name} TO r{self.serial}")

    def change_type(self):
        self.bigint = not self.bigint
        return self.alter(f"ALTER n TYPE {'bigint' if self.bigint else 'integer'}")

    def change_length(self):
        return self.alter(f"ALTER note TYPE varchar({self.chance.randrange(50, 90)})")

    def rewrite_in_the_same_type(self):
        return self.alter("ALTER alt TYPE integer USING alt % 1000 + 1")

    def change_nullable(self):
        name = self.column() or "n"
        value = self.chance.randrange(100)
        if self.chance.random() < 0.5:
            return self.alter(f"ALTER {name} DROP NOT NULL")
        return [f"UPDATE {self.table} SET {name} = {value} WHERE {name} IS NULL",
                *self.alter(f"ALTER {name} SET DEFAULT {value}, ALTER {name} SET NOT NULL")]

    def change_nullable_there_and_back(self):
        name = self.column() or "n"
        return [f"UPDATE {self.table} SET {name} = 1 WHERE {name} IS NULL",
                *self.alter(f"ALTER {name} SET NOT NULL"), *self.alter(f"ALTER {name} DROP NOT NULL"),
                f"UPDATE {self.table} SET {name} = NULL WHERE id % 9 = 0"]

    def change_key(self):
        self.wide_key = not self.wide_key
        key = "id, alt" if self.wide_key else "id"
        return [f"DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE {self.table} DROP CONSTRAINT %I, "
                f"ADD PRIMARY KEY ({key})', conname) FROM pg_constraint WHERE contype = 'p' AND "
                f"conrelid = '{self.table}'::regclass); END $$"]

    def rename_table(self):
        old, self.table = self.table, "u" if self.table == "t" else "t"
        return [f"ALTER TABLE {old} RENAME TO {self.table}"]

    def truncate(self):
        return [f"TRUNCATE {self.table}", self.fill()]

    def fill(self):
        return (f"INSERT INTO {self.table} (id, n, note, alt) SELECT {VALUES} "
                f"FROM generate_series(1, {self.chance.randrange(1, KEYS)}) i")

    def drop_and_create(self):
        self.extra, self.wide_key, self.bigint = {}, False, False
        return [f"DROP TABLE {self.table}", f"CREATE TABLE {self.table} ({COLUMNS})", self.fill()]

    def change_indexes(self):
        return ["DROP INDEX IF EXISTS by_n", f"CREATE INDEX by_n ON {self.table} (n)"]

    def change_unique_index(self):
        drop = "DROP INDEX IF EXISTS once"
        return [drop] if self.chance.random() < 0.5 else [
            drop, f"CREATE UNIQUE INDEX once ON {self.table} (id, alt, n)"]


EVERY = [name for name in vars(SchemaChanger) if name.split("_")[0] in
         ("add", "drop", "rename", "change", "rewrite", "truncate")]
FOR_FILES = [name for name in EVERY if name not in
             ("change_key", "rename_table", "drop_and_create")]


class RandomChanges(CopyCase):
    def writer_step(self, chance, changer):
        def step(cursor):
            key, other, what = chance.randrange(KEYS), chance.randrange(KEYS), chance.randrange(6)
            table = changer.table
            try:
                if what == 0:
                    cursor.execute(f"DELETE FROM {table} WHERE id = %s", (key,))
                elif what == 1:
                    cursor.execute(f"INSERT INTO {table} (id, n, alt) VALUES (%s, %s, %s)",
                                   (key, other, key))
                elif what == 2:
                    cursor.execute(f"UPDATE {table} SET id = %s WHERE id = %s", (other, key))
                elif what == 3:
                    cursor.execute(f"UPDATE {table} SET note = %s WHERE id = %s", (other, key))
                else:
                    cursor.execute(f"UPDATE {table} SET n = n + 1 WHERE id = %s", (key,))
            except GONE as error:
                raise psycopg2.IntegrityError(str(error)) from error  # roll back, and go on
        return step

    def at_random(self, kinds, steps, **options):
        stage, chosen = self.stage(), seed()
        self.rows(stage, "t", KEYS, COLUMNS, VALUES)
        changer = SchemaChanger(stage.shop, random.Random(chosen), steps, 0.8)
        writers = [Writer(stage.shop, self.writer_step(random.Random(chosen + 1 + i), changer),
                          1 + 2 * i) for i in range(2)]
        for kind in kinds:
            stage.subscribe(kind, **SMALL, **options)
        for thread in (changer, *writers):
            thread.start()
        copies, begun = 0, time.monotonic()
        try:
            while time.monotonic() - begun < (SECONDS if copies > 1 else SECONDS + 60):
                for kind in kinds:
                    if self.is_copied(stage, kind):
                        copies += 1
                        stage.shop.run("SELECT fanout.resync(%s)", (kind,))
                    state = stage.status(kind)
                    self.assertNotEqual(state["state"], "failed", state["last_error"])
                time.sleep(0.05)
            for thread in (changer, *writers):
                thread.finish()
            stage.tables = [f"public.{changer.table}"]
            if "file" in kinds:  # whose rows have kept the shape they had
                self.finished(stage, "file")
                stage.shop.run("SELECT fanout.resync('file')")
            self.same(stage, *kinds)
        except BaseException:
            print("\n".join(changer.log[-60:]))
            raise
        print(f"{copies} copies; " + ", ".join(f"{k} {n}" for k, n in sorted(changer.done.items())) + f"; the slowest took {changer.slowest[0]:.1f} s")
        self.assertGreater(copies, 0)

    def test_every_change_at_random(self):
        self.at_random(("postgres", "sqlite"), EVERY)

    def test_at_a_target_without_a_schema(self):
        self.at_random(("file",), FOR_FILES)


main()
