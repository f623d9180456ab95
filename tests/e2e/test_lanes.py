"""Lanes are alone: one that is down, paused or slow holds neither the others nor the WAL."""
import time

from fanout_test import shop
from fanout_test.case import Case, main
from fanout_test.processes import wait_until


class Isolation(Case):
    def test_a_target_that_is_down_holds_nobody_else(self):
        stage = self.stage()
        generator = stage.load(shop, seed=41)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind)
        stage.fill(generator)
        stage.wait_for("postgres")
        stage.target.stop("immediate")
        before = stage.slot()["confirmed_flush_lsn"]
        traffic = stage.run_traffic(generator, per_second=200)
        time.sleep(3)
        traffic.finish()
        stage.compare("sqlite", "file")
        wait_until("the slot lets WAL go", lambda: stage.shop.value(
            "SELECT confirmed_flush_lsn > %s AND pg_current_wal_lsn() - confirmed_flush_lsn < 100000"
            " FROM pg_replication_slots", (before,)))
        row = stage.status("postgres")
        self.assertEqual(row["state"], "retrying")
        self.assertGreater(row["lag_bytes"], 1000)
        stage.target.start()
        stage.copy.close()
        stage.compare("postgres")

    def test_a_paused_one_catches_up_through_many_restarts(self):
        stage = self.stage()
        generator = stage.load(shop, seed=42)
        for kind in ("postgres", "file"):
            stage.subscribe(kind)
        stage.fill(generator)
        stage.wait_for("postgres")
        stage.shop.run("SELECT fanout.pause_subscription('postgres')")
        stage.wait_state("postgres", "paused")
        for _ in range(3):
            traffic = stage.run_traffic(generator, per_second=300)
            time.sleep(0.7)
            traffic.finish()
            stage.daemon.stop()
            stage.daemon.start()
        stage.compare("file")
        stage.shop.run("SELECT fanout.resume_subscription('postgres')")
        stage.compare("postgres")

    def test_two_subscriptions_on_one_target_database(self):
        stage = self.stage()
        generator = stage.load(shop, seed=43)
        first = ["public.customers", "public.orders"]
        second = ["public.products", "public.order_items", "public.carts", '"Back Office".*']
        stage.subscribe("postgres", first, name="one")
        stage.subscribe("postgres", second, name="two")
        stage.subscribe("sqlite", first, name="three")
        stage.subscribe("sqlite", second, name="four")
        stage.fill(generator)
        traffic = stage.run_traffic(generator, per_second=200)
        time.sleep(2)
        traffic.finish()
        stage.wait_for("one", "two", "three", "four")
        stage.compare("postgres", "sqlite", wait=False)

    def test_a_large_transaction_is_atomic_and_whole(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE big (id integer PRIMARY KEY, data text)")
        stage.tables.append("public.big")
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, ["public.big"])
        stage.shop.run("INSERT INTO big SELECT g, repeat(md5(g::text), 8) "
                       "FROM generate_series(1, 100000) g")
        seen = set()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and 100000 not in seen:
            try:
                seen.add(stage.copy.value("SELECT count(*) FROM big"))
            except Exception:  # noqa: BLE001  not there yet
                time.sleep(0.01)
        self.assertLessEqual(seen, {0, 100000}, "part of a transaction was seen")
        stage.shop.run("UPDATE big SET id = -id WHERE id % 3 = 0")
        stage.shop.run("DELETE FROM big WHERE id % 5 = 0")
        self.assertEqual(stage.compare(seconds=90), 80000)

    def test_a_row_larger_than_the_ring(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE wide (id integer PRIMARY KEY, data bytea, more text)")
        stage.shop.run("ALTER TABLE wide ALTER data SET STORAGE EXTERNAL")
        stage.tables.append("public.wide")
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, ["public.wide"])
        stage.shop.run("INSERT INTO wide SELECT 1, decode(repeat(md5('x'), 1500000), 'hex'), 'a'")
        stage.shop.run("UPDATE wide SET more = 'b'")
        stage.shop.run("UPDATE wide SET id = 2")
        self.assertEqual(stage.compare(seconds=90), 1)


main()
