"""Tables without a usable key are read by several readers, under one snapshot."""
import random
import time

from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase, Writer
from fanout_test.processes import wait_until

ROWS = 60_000


class NoKeys(CopyCase):
    def test_readers_share_a_table(self):
        stage = self.stage()
        columns = "n integer, note text"
        self.rows(stage, "event", ROWS, columns, "i, repeat(md5(i::text), 6)")
        stage.shop.run("ALTER TABLE event REPLICA IDENTITY FULL")
        stage.copy.run(f"CREATE TABLE event ({columns})")
        chance = random.Random(seed())

        def step(cursor):
            n = chance.randrange(ROWS)
            cursor.execute("INSERT INTO event VALUES (%s, 'new' || txid_current())", (n,))
            if n % 20 == 0:
                cursor.execute("DELETE FROM event WHERE n = %s", (n,))
            time.sleep(0.01)
        writer = Writer(stage.shop, step, per_transaction=1)
        writer.start()
        # While nothing can be written at the target the readers stand where they are.
        held = stage.copy.connect(autocommit=False)
        held.cursor().execute("LOCK TABLE event IN SHARE MODE")
        stage.subscribe("postgres", **SMALL)
        wait_until("several read at once", lambda: stage.shop.value(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%%ctid%%'") >= 2)
        held.rollback()
        stage.subscribe("file", **SMALL, rows_per_second=15000)
        row = wait_until("the view says how long", lambda: stage.shop.row(
            "SELECT * FROM fanout.backfills WHERE snapshot_held_seconds > 0.5"), pause=0.05)
        self.assertEqual((row["mode"], row["state"]), ("snapshot", "copying"))
        for kind in ("postgres", "file"):
            self.finished(stage, kind)
        writer.finish()
        stage.compare("postgres", "file")

    def test_a_reader_that_is_lost(self):
        """The snapshot goes with the reader that took it; the copy begins anew."""
        stage = self.stage()
        columns = "n integer, note text"
        self.rows(stage, "event", ROWS, columns, "i, repeat(md5(i::text), 6)")
        stage.copy.run(f"CREATE TABLE event ({columns})")
        held = stage.copy.connect(autocommit=False)
        held.cursor().execute("LOCK TABLE event IN SHARE MODE")
        stage.subscribe("postgres", **SMALL)
        reading = "FROM pg_stat_activity WHERE query LIKE 'COPY%%ctid%%'"
        wait_until("several read at once", lambda: stage.shop.value(
            f"SELECT count(*) {reading}") >= 2)
        stage.shop.run(f"SELECT pg_terminate_backend(pid) {reading} ORDER BY random() LIMIT 1")
        held.rollback()
        self.finished(stage, "postgres")
        self.assertGreater(stage.shop.value("SELECT retries FROM fanout.backfills"), 0)
        stage.compare("postgres")


main()
