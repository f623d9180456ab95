"""The source is stopped with `immediate` (a crash) under load, again and again, sometimes together
with fanoutd; what the targets have is exactly what the source kept."""
import random
import time

from fanout_test import bank, shop
from fanout_test.case import Case, main, seed
from fanout_test.stage import KINDS, sum_at_every_commit


class SourceImmediate(Case):
    def test_eight_times(self):
        chance = random.Random(seed())
        # A commit that was acknowledged is in the WAL file; asynchronous ones may be lost in the
        # crash, and must then not have reached a target either.
        stage = self.stage(settings={"checkpoint_timeout": "30s"})
        generators = [stage.load(bank, chance.random()), stage.load(shop, chance.random())]
        for kind in KINDS:
            stage.subscribe(kind)
        for generator in generators:
            stage.fill(generator)
        watchers = stage.watch_sums()
        running = [stage.run_traffic(generator, per_second=250) for generator in generators]
        for run in range(8):
            time.sleep(chance.random() * 1.2)
            if chance.random() < 0.3:
                stage.shop.run("CHECKPOINT")
            both = chance.random() < 0.4
            if both:
                stage.daemon.kill()
            stage.shop.close()
            stage.source.restart("immediate")
            if both:
                stage.daemon.start()
            if run % 4 == 3:
                for traffic in running:
                    traffic.finish()
                print(f"after {run + 1} stops: {stage.compare(on_commit=sum_at_every_commit)} "
                      "rows identical on all three", flush=True)
                running = [stage.run_traffic(generator, per_second=250)
                           for generator in generators]
        for traffic in running:
            traffic.finish()
        stage.compare(on_commit=sum_at_every_commit)
        for watcher in watchers:
            self.assertGreater(watcher.finish(), 20)
        self.assertTrue(stage.daemon.running())


main()
