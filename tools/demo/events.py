"""A table with a past: rows that are there before anybody subscribes, and change while copied."""
import random

ROWS = 200_000
TABLE = ("CREATE TABLE events (id bigint PRIMARY KEY, kind text, amount numeric(12,2), "
         "at timestamptz)")
INSERT = ("INSERT INTO events SELECT g, 'kind ' || g %% 7, g * 0.01, clock_timestamp() "
          "FROM generate_series(%s, %s) g")


class Events:
    """A generator for Traffic: each step changes rows anywhere in the table."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.next_id = 10 * ROWS  # behind the rows of every burst

    def install(self, cursor):
        cursor.execute(TABLE)
        cursor.execute(INSERT, (1, ROWS))

    def step(self, cursor):
        one, other = self.random.randrange(1, ROWS), self.random.randrange(1, ROWS)
        self.next_id += 1
        cursor.execute("UPDATE events SET amount = amount + 1 WHERE id BETWEEN %s AND %s",
                       (one, one + 3))
        cursor.execute("DELETE FROM events WHERE id = %s", (other,))
        cursor.execute("INSERT INTO events VALUES (%s, 'new', 1, now())", (self.next_id,))
        cursor.execute("UPDATE events SET id = %s WHERE id = %s", (other, one))
        return "events"
