"""The bank: transfers that keep one sum. Any snapshot with another sum saw a torn transaction."""
import random
import threading

SCHEMA = """
CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE branches (id integer PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE transfers (id bigserial PRIMARY KEY, amount bigint, rows integer, at timestamptz);
"""

TABLES = ["public.accounts", "public.branches", "public.transfers"]
ACCOUNTS, BRANCHES, START = 60, 4, 1000
SUM = (ACCOUNTS + BRANCHES) * START
SUM_QUERY = ("SELECT (SELECT coalesce(sum(balance), 0) FROM {schema}accounts) "
             "+ (SELECT coalesce(sum(balance), 0) FROM {schema}branches)")


class Bank:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def install(self, cursor):
        cursor.execute(SCHEMA)

    def fill(self, cursor):
        cursor.execute("INSERT INTO accounts SELECT g, %s FROM generate_series(1, %s) g",
                       (START, ACCOUNTS))
        cursor.execute("INSERT INTO branches SELECT g, %s FROM generate_series(1, %s) g",
                       (START, BRANCHES))

    def step(self, cursor):
        """One transfer among two to eight rows of two tables; None: to be rolled back."""
        chosen = self.random.sample(range(1, ACCOUNTS + 1), self.random.randint(2, 7))
        total = 0
        for account in chosen:
            amount = self.random.randint(-50, 50)
            total += amount
            cursor.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s",
                           (amount, account))
        if self.random.random() < 0.2:
            cursor.execute("SAVEPOINT s")
            cursor.execute("UPDATE accounts SET balance = 0 WHERE id = %s", (chosen[0],))
            cursor.execute("ROLLBACK TO SAVEPOINT s")
        cursor.execute("UPDATE branches SET balance = balance - %s WHERE id = %s",
                       (total, self.random.randint(1, BRANCHES)))
        cursor.execute("INSERT INTO transfers (amount, rows, at) VALUES (%s, %s, "
                       "clock_timestamp())", (total, len(chosen)))
        return None if self.random.random() < 0.05 else "transfer"


class SumWatcher(threading.Thread):
    """Reads the sum at a target over and over; every snapshot must show 0 (nothing yet) or SUM."""

    def __init__(self, name, read_sum, pause=0.02):
        super().__init__(daemon=True, name=f"watcher {name}")
        self.read_sum = read_sum
        self.pause = pause
        self.seen, self.torn = 0, []
        self._stop_asked = threading.Event()

    def run(self):
        while not self._stop_asked.wait(self.pause):
            try:
                found = self.read_sum()
            except Exception:  # noqa: BLE001  the target may be down or not have its tables yet
                continue
            self.seen += 1
            if int(found) not in (0, SUM):
                self.torn.append(int(found))

    def finish(self):
        self._stop_asked.set()
        self.join(30)
        assert not self.torn, f"{self.name}: torn transactions, sums {self.torn[:5]} not {SUM}"
        return self.seen
