"""fanoutd is killed (SIGKILL) 20 times at random moments under load; nothing is lost, doubled, torn.

Every run compares all three targets with the source exactly and looks at every commit in the file;
readers at both SQL targets look for torn transactions all the time. The seed is printed.
"""
import random
import time

from fanout_test import bank, shop
from fanout_test.case import Case, main, seed
from fanout_test.stage import KINDS, sum_at_every_commit

RUNS = 20


class KillDaemon(Case):
    def test_twenty_times(self):
        chance = random.Random(seed())
        stage = self.stage()
        generators = [stage.load(bank, chance.random()), stage.load(shop, chance.random())]
        stage.shop.run("CREATE TABLE bulk (id bigserial PRIMARY KEY, run integer, data text)")
        stage.tables.append("public.bulk")
        for kind in KINDS:
            stage.subscribe(kind)
        for generator in generators:
            stage.fill(generator)
        watchers = stage.watch_sums()
        kills = 0
        for run in range(RUNS):
            running = [stage.run_traffic(generator, per_second=250) for generator in generators]
            for _ in range(chance.choice([1, 1, 1, 2, 3])):  # some die young
                time.sleep(chance.random() * chance.choice([0.05, 0.3, 0.8]))
                if chance.random() < 0.3:  # in the middle of something larger
                    stage.shop.run("INSERT INTO bulk (run, data) SELECT %s, md5(g::text) "
                                   "FROM generate_series(1, 3000) g", (run,))
                    time.sleep(chance.random() * 0.05)
                stage.daemon.kill()
                kills += 1
                stage.daemon.start()
            for traffic in running:
                traffic.finish()
            rows = stage.compare(on_commit=sum_at_every_commit)
            print(f"run {run + 1}: {kills} kills so far, {rows} rows identical on all three",
                  flush=True)
        for watcher in watchers:
            self.assertGreater(watcher.finish(), 20)
        self.assertGreaterEqual(kills, RUNS)
        for kind in KINDS:
            self.assertEqual(stage.status(kind)["rows_dead_lettered"], 0)


main()
