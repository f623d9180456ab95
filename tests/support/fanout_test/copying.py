"""What tests of copies share: tables with rows, writers that change them, and a look at the copy."""
import random
import threading

import psycopg2

from .case import Case, seed
from .processes import DEADLINE_SECONDS, wait_until

SMALL = {"backfill": True, "chunk_bytes": "64kB", "workers": 3}


class Writer(threading.Thread):
    """Calls step(cursor) in transactions of its own until it is told to stop."""

    def __init__(self, database, step, per_transaction=4):
        super().__init__(daemon=True)
        self.database, self.step, self.per_transaction = database, step, per_transaction
        self.stop_asked = threading.Event()
        self.error = None
        self.count = 0

    def run(self):
        connection = None
        while not self.stop_asked.is_set():
            try:
                connection = connection or self.database.connect(autocommit=False)
                with connection.cursor() as cursor:
                    for _ in range(self.per_transaction):
                        self.step(cursor)
                connection.commit()
                self.count += 1
            except psycopg2.IntegrityError:
                connection.rollback()
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                connection = None
                self.stop_asked.wait(0.1)
            except psycopg2.DatabaseError as error:
                if error.pgcode:  # an answer; else the server went away in mid-statement
                    self.error = error
                    return
                connection = None
                self.stop_asked.wait(0.1)
            except Exception as error:  # noqa: BLE001  told to the test by finish()
                self.error = error
                return

    def finish(self):
        self.stop_asked.set()
        self.join(DEADLINE_SECONDS)
        if self.error:
            raise self.error


class CopyCase(Case):
    def rows(self, stage, table, count, columns="id integer PRIMARY KEY, n integer, note text",
             values="i, i, 'row ' || i"):
        stage.shop.run(f"CREATE TABLE {table} ({columns})")
        stage.shop.run(f"INSERT INTO {table} SELECT {values} FROM generate_series(1, {count}) i")
        stage.tables.append(f"public.{table}")

    def copies(self, stage, name):
        return stage.shop.run("SELECT table_name, state, mode, rows_done, chunks, retries, detail, "
                              "last_error FROM fanout.backfills WHERE subscription = %s", (name,))

    def finished(self, stage, name, seconds=DEADLINE_SECONDS):
        wait_until(lambda: f"{name} is copied: {self.copies(stage, name)} {stage.explain()}",
                   lambda: self.is_copied(stage, name), seconds)

    def is_copied(self, stage, name):
        try:
            copies = self.copies(stage, name)
        except psycopg2.Error:  # the connection of before a restart
            return False
        return bool(copies) and all(row[1] == "complete" for row in copies)

    def same(self, stage, *kinds):
        """Copied, with the rows of the source, and at postgres with its columns."""
        for kind in kinds:
            self.finished(stage, kind)
        stage.compare(*kinds)
        for table in stage.tables if "postgres" in kinds else ():
            columns = [sorted(database.run(
                "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", (table,)))
                for database in (stage.shop, stage.copy)]
            self.assertEqual(*columns)

    def hot_step(self, chance, keys):
        """Every kind of change, keys included, with a TOASTed column that mostly stays."""
        def step(cursor):
            key, other = chance.randrange(keys), chance.randrange(keys)
            what = chance.randrange(6)
            if what == 0:
                cursor.execute("DELETE FROM hot WHERE id = %s", (key,))
            elif what == 1:
                cursor.execute("INSERT INTO hot VALUES (%s, 0, repeat(md5(%s), 200)) "
                               "ON CONFLICT DO NOTHING", (key, str(other)))
            elif what == 2:
                cursor.execute("SAVEPOINT s")
                cursor.execute("UPDATE hot SET id = %s WHERE id = %s "
                               "AND NOT EXISTS (SELECT FROM hot WHERE id = %s)",
                               (other, key, other))
            elif what == 3:
                cursor.execute("UPDATE hot SET wide = repeat(md5(%s), 300) WHERE id = %s",
                               (str(other), key))
            else:
                cursor.execute("UPDATE hot SET n = n + 1 WHERE id = %s", (key,))
        return step

    def hot(self, stage, keys):
        self.rows(stage, "hot", keys, "id integer PRIMARY KEY, n integer, wide text",
                  "i, 0, repeat(md5(i::text), 200)")
        stage.shop.run("ALTER TABLE hot ALTER wide SET STORAGE EXTERNAL")

    def hot_writers(self, stage, keys, count=3):
        writers = [Writer(stage.shop, self.hot_step(random.Random(seed() + i), keys),
                          per_transaction=1 + 3 * i) for i in range(count)]
        for writer in writers:
            writer.start()
        return writers
