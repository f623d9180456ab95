"""Captured tables are idle while others write a lot: the slot must keep moving, or WAL piles up.

FANOUT_IDLE_MB says how much they write; the long version (label soak) writes 5 GB.
"""
import os
import threading

from fanout_test.case import Case, main
from fanout_test.processes import wait_until

WRITE_MB = int(os.environ.get("FANOUT_IDLE_MB", "200"))
STATEMENT_MB = 10
SEGMENT = 16 * 2 ** 20
CHECKPOINT = 96 * 2 ** 20  # max_wal_size: no two checkpoints lie further apart

RETAINED = """SELECT pg_current_wal_lsn() - restart_lsn AS behind_restart,
                     pg_current_wal_lsn() - confirmed_flush_lsn AS behind_confirmed
              FROM pg_replication_slots WHERE slot_name = 'fanout_main'"""


class IdleTables(Case):
    def test_slot_follows_while_others_write(self):
        stage = self.stage(settings={"max_wal_size": f"{CHECKPOINT // 2 ** 20}MB",
                                     "min_wal_size": "32MB", "checkpoint_timeout": "1h"})
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY, note text)")
        stage.tables.append("public.t")
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'before')")
        stage.wait_for("file")
        stage.shop.run("CREATE SCHEMA other CREATE TABLE noise (data text)")
        stage.shop.run("ALTER TABLE other.noise ALTER data SET STORAGE PLAIN")
        largest = self.write(stage)
        wait_until(lambda: f"the slot follows: {stage.slot()}", lambda: self.follows(stage), 60)
        stage.shop.run("INSERT INTO t VALUES (2, 'after')")
        self.assertEqual(stage.compare("file"), 2)
        print(f"wrote {WRITE_MB} MB; at most {largest / 2 ** 20:.0f} MB were retained", flush=True)
        # A checkpoint takes its time: while it runs, the WAL of the next one is written.
        self.assertLess(largest, 2 * SEGMENT + 2 * CHECKPOINT)

    def follows(self, stage):
        row = stage.shop.row(RETAINED)
        return row["behind_restart"] <= 2 * SEGMENT + CHECKPOINT and \
            row["behind_confirmed"] <= SEGMENT

    def write(self, stage):
        """Returns the most WAL that the slot held back at any time."""
        largest = 0
        done = threading.Event()
        failures = []

        def noise():
            try:
                for _ in range(max(1, WRITE_MB // STATEMENT_MB)):
                    stage.source.run(
                        "INSERT INTO other.noise SELECT repeat(md5(g::text), 30) "
                        f"FROM generate_series(1, {STATEMENT_MB * 1000}) g", database="shop")
                    stage.source.run("TRUNCATE other.noise", database="shop")
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)
            finally:
                done.set()

        writer = threading.Thread(target=noise)
        writer.start()
        while not done.wait(0.05):
            largest = max(largest, stage.shop.row(RETAINED)["behind_restart"])
        writer.join()
        self.assertEqual(failures, [])
        return largest


main()
