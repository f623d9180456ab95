"""Every order of up to four changes of a key, again and again while its rows are copied: exact.

A slot is a row that may be at one of two keys far apart, or nowhere. It is taken through a word of
changes: Insert, Update (a TOASTed value stays), Delete, Key change. Words are cut into transactions,
subtransactions and rolled back parts at random. FANOUT_TEST_KEYS and FANOUT_TEST_SECONDS make it
longer.
"""
import os
import random
import signal
import threading
import time

from fanout_test import places
from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase
from fanout_test.processes import Process, wait_until

KEYS = int(os.environ.get("FANOUT_TEST_KEYS", 2000))
SECONDS = float(os.environ.get("FANOUT_TEST_SECONDS", 20))
WRITERS = 3
WIDE = "repeat(md5(%s), 100)"  # 3200 bytes, out of line


def words(present, length):
    """Every order of so many changes that is possible."""
    if length == 0:
        return [""]
    return [change + rest for change in ("UDK" if present else "I")
            for rest in words(change != "D", length - 1)]


WORDS = {present: [word for length in (1, 2, 3, 4) for word in words(present, length)]
         for present in (True, False)}


class Slots(threading.Thread):
    """Takes its slots through words, one after the other, until told to stop."""

    def __init__(self, database, slots, chance, shown=lambda number: number):
        super().__init__(daemon=True)
        self.database, self.slots, self.chance, self.shown = database, slots, chance, shown
        self.place = {}  # slot → 0, 1 (which of its keys), or None
        self.used = {True: set(), False: set()}
        self.changes = 0
        self.stop_asked, self.error = threading.Event(), None

    def key(self, slot, which):
        return self.shown(slot if which == 0 else KEYS + slot * 7919 % KEYS)

    def run(self):
        try:
            connection = self.database.connect(autocommit=False)
            with connection.cursor() as cursor:
                while not self.stop_asked.is_set():
                    self.one_word(connection, cursor, self.chance.choice(self.slots))
            connection.close()
        except Exception as error:  # noqa: BLE001  told to the test by finish()
            self.error = error

    def one_word(self, connection, cursor, slot):
        present = self.place[slot] is not None
        word = self.chance.choice(WORDS[present])
        self.used[present].add(word)
        apart = self.chance.choice((0, 0.3, 1))  # how often a transaction ends within the word
        for change in word:
            if self.chance.random() < 0.3:
                cursor.execute("SAVEPOINT s")
            if self.chance.random() < 0.1:
                self.in_vain(cursor, slot)
            self.one_change(cursor, slot, change)
            if self.chance.random() < apart:
                connection.commit()
        connection.commit()
        self.changes += len(word)

    def in_vain(self, cursor, slot):
        cursor.execute("SAVEPOINT vain")
        cursor.execute("DELETE FROM hot WHERE id IN (%s, %s)", (self.key(slot, 0),
                                                                self.key(slot, 1)))
        cursor.execute("ROLLBACK TO vain")

    def one_change(self, cursor, slot, change):
        place = self.place[slot]
        if change == "I":
            self.place[slot] = self.chance.randrange(2)
            cursor.execute(f"INSERT INTO hot VALUES (%s, 0, {WIDE})",
                           (self.key(slot, self.place[slot]), str(self.chance.random())))
        elif change == "U" and self.chance.random() < 0.2:
            cursor.execute(f"UPDATE hot SET wide = {WIDE} WHERE id = %s",
                           (str(self.chance.random()), self.key(slot, place)))
        elif change == "U":
            cursor.execute("UPDATE hot SET n = n + 1 WHERE id = %s", (self.key(slot, place),))
        elif change == "D":
            self.place[slot] = None
            cursor.execute("DELETE FROM hot WHERE id = %s", (self.key(slot, place),))
        else:
            self.place[slot] = 1 - place
            cursor.execute("UPDATE hot SET id = %s, n = n + 1 WHERE id = %s",
                           (self.key(slot, 1 - place), self.key(slot, place)))
        assert cursor.rowcount == 1, (slot, change, place)

    def finish(self):
        self.stop_asked.set()
        self.join(60)
        if self.error:
            raise self.error


class SlowStandby(threading.Thread):
    """A synchronous standby that lets every commit wait for it, with pauses up to 50 ms: so long a
    transaction is in the WAL, and nobody sees it."""

    def __init__(self, stage):
        super().__init__(daemon=True)
        folder = places.scratch()
        self.source, self.stop_asked = stage.source, threading.Event()
        self.process = Process("pg_receivewal", [
            self.source.program("pg_receivewal"), "-D", folder, "--synchronous", "--no-loop", "-d",
            self.source.dsn("postgres", application_name="slow")], os.path.join(folder, "log"))
        wait_until("the standby is there", lambda: stage.shop.value(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'slow'") == 1)
        self.source.set_and_reload(synchronous_standby_names="'slow'")

    def run(self):
        while not self.stop_asked.wait(0.02):
            self.process.send(signal.SIGSTOP)
            self.stop_asked.wait(random.random() * 0.05)
            self.process.send(signal.SIGCONT)

    def finish(self):
        self.stop_asked.set()
        self.join(60)
        self.source.set_and_reload(synchronous_standby_names="''")
        self.process.kill()


class Orders(CopyCase):
    def test_every_order_of_changes_in_every_window(self):
        self.copied_again_and_again(self.stage(), SECONDS)

    def test_beside_a_slow_synchronous_standby(self):
        stage = self.stage()
        standby = SlowStandby(stage)
        self.addCleanup(standby.process.kill)
        standby.start()
        self.copied_again_and_again(stage, SECONDS / 2, standby.finish)

    def test_keys_whose_order_only_the_server_knows(self):
        stage = self.stage()
        for database in (stage.shop, stage.copy):
            database.run("CREATE EXTENSION citext")
        # A number that is sorted otherwise than its bytes are, and found in either case.
        self.copied_again_and_again(
            stage, SECONDS / 2, key="citext", shown=lambda i: ("Über %d", "über %d", "U%d")[i % 3] % i,
            kinds=("postgres", "sqlite"), mode="lenient")

    def test_keys_in_a_linguistic_order(self):
        """Rows whose key no change has touched are plain inserts; each of the others is written over what is there."""
        self.copied_again_and_again(
            self.stage(), SECONDS / 2, key='text COLLATE "en-x-icu"', mode="lenient",
            shown=lambda i: ("Über %d", "über %d", "U%d")[i % 3] % i, kinds=("postgres", "file"))

    def copied_again_and_again(self, stage, seconds, finish=lambda: None, key="integer",
                               shown=lambda number: number, kinds=("postgres", "file"),
                               mode="ordered"):
        stage.shop.run(f"CREATE TABLE hot (id {key} PRIMARY KEY, n integer, wide text)")
        stage.shop.run("ALTER TABLE hot ALTER wide SET STORAGE EXTERNAL")
        stage.tables.append("public.hot")
        chosen = seed()
        writers = [Slots(stage.shop, range(w, KEYS, WRITERS), random.Random(chosen + w),
                         shown)
                   for w in range(WRITERS)]
        connection = stage.shop.connect(autocommit=False)
        with connection.cursor() as cursor:
            for writer in writers:
                for slot in writer.slots:
                    writer.place[slot] = None
                    if writer.chance.random() < 0.7:
                        writer.one_change(cursor, slot, "I")
        connection.commit()
        connection.close()
        for writer in writers:
            writer.start()
        for kind in kinds:
            stage.subscribe(kind, **SMALL)
        copies, begun = 0, time.monotonic()
        while copies == 0 or time.monotonic() - begun < seconds:
            wait_until(lambda: f"copied: {[self.copies(stage, kind) for kind in kinds]}",
                       lambda: all(self.is_copied(stage, kind) for kind in kinds)
                       or any(writer.error for writer in writers), 120)
            copies += 1
            for kind in kinds:
                self.assertEqual([row[2] for row in self.copies(stage, kind)], [mode])
                stage.shop.run("SELECT fanout.resync(%s)", (kind,))
        for kind in kinds:
            self.finished(stage, kind, 120)
        for writer in writers:
            writer.finish()
        finish()
        changes = sum(writer.changes for writer in writers)
        for present in (True, False):
            used = set().union(*(writer.used[present] for writer in writers))
            print(f"{len(used)} of {len(WORDS[present])} words used, present first: {present}")
        print(f"{copies + 1} copies of {KEYS} keys, {changes} changes")
        stage.compare(*kinds, seconds=120)


main()
