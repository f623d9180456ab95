"""Each kind of target, alone, holds exactly what the source holds, whatever the shop does."""
from fanout_test import bank, shop
from fanout_test.case import Case, main
from fanout_test.stage import sum_at_every_commit


class Targets(Case):
    def _shop_to(self, kind, steps=400):
        stage = self.stage()
        generator = stage.load(shop, seed=7)
        stage.subscribe(kind)
        stage.fill(generator)
        traffic = stage.run_traffic(generator)
        while traffic.committed < steps and traffic.is_alive():
            traffic.join(0.05)
        traffic.finish()
        self.assertGreater(stage.compare(kind), 100)
        row = stage.status(kind)
        self.assertEqual(row["state"], "streaming")
        self.assertEqual(row["rows_read"], row["rows_delivered"] + row["rows_filtered"]
                         + row["rows_dead_lettered"])
        self.assertEqual(stage.daemon.stop(), 0)

    def test_postgres(self):
        self._shop_to("postgres")

    def test_sqlite(self):
        self._shop_to("sqlite")

    def test_file(self):
        self._shop_to("file")

    def test_all_three_never_show_a_torn_transaction(self):
        stage = self.stage()
        generator = stage.load(bank, seed=7)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind)
        watchers = stage.watch_sums()
        stage.fill(generator)
        traffic = stage.run_traffic(generator)
        while traffic.committed < 1500 and traffic.is_alive():
            traffic.join(0.05)
        traffic.finish()
        stage.compare(on_commit=sum_at_every_commit)
        for watcher in watchers:
            self.assertGreater(watcher.finish(), 5)


main()
