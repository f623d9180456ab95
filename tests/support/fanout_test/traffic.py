"""Runs a generator (shop, bank) on a connection of its own, in a thread, until told to stop.

A connection that breaks (the source was stopped under it) is made again: whether its last
transaction counted is the source's word, which is what the oracle compares with.
"""
import threading
import time

import psycopg2


# A lost connection comes as any of these; as a plain DatabaseError without SQLSTATE, too.
BROKEN = (psycopg2.DatabaseError, psycopg2.InterfaceError)


class Traffic(threading.Thread):
    def __init__(self, database, generator, per_second=None, name="traffic"):
        super().__init__(daemon=True, name=name)
        self.database = database
        self.generator = generator
        self.per_second = per_second
        self.committed = self.rolled_back = self.broken = 0
        self.error = None
        self._stop_asked = threading.Event()

    def run(self):
        connection = None
        due = time.monotonic()
        while not self._stop_asked.is_set():
            try:
                if connection is None:
                    connection = self.database.connect(autocommit=False, connect_timeout=5)
                self._one(connection)
            except BROKEN as error:
                if error.pgcode and not isinstance(error, psycopg2.OperationalError):
                    self.error = error
                    break
                self.broken += 1
                connection = None
                self._stop_asked.wait(0.1)
            except Exception as error:  # noqa: BLE001  told to the test by finish()
                self.error = error
                break
            if self.per_second:
                due = max(due + 1 / self.per_second, time.monotonic() - 0.5)
                self._stop_asked.wait(max(0.0, due - time.monotonic()))
        if connection is not None:
            connection.close()

    def _one(self, connection):
        with connection.cursor() as cursor:
            try:
                done = self.generator.step(cursor)
            except psycopg2.IntegrityError:
                # After a broken connection the generator may believe in rows that were lost.
                connection.rollback()
                self.rolled_back += 1
                return
        if done is None:
            connection.rollback()
            self.rolled_back += 1
        else:
            connection.commit()
            self.committed += 1

    def ask_to_stop(self):
        self._stop_asked.set()

    def finish(self):
        """Stops it; raises what went wrong in it. Returns the number of committed transactions."""
        self.ask_to_stop()
        self.join(60)
        if self.error is not None:
            raise self.error
        return self.committed
