"""Daemon, worker, source and target broken in random order under load; then exactly equal."""
import random
import time

from fanout_test import bank, shop
from fanout_test.case import Case, main, seed
from fanout_test.stage import KINDS, sum_at_every_commit


class EverythingAtOnce(Case):
    def test_thirty_faults(self):
        chance = random.Random(seed())
        stage = self.stage()
        generators = [stage.load(bank, chance.random()), stage.load(shop, chance.random())]
        for kind in KINDS:
            stage.subscribe(kind)
        for generator in generators:
            stage.fill(generator)
        watchers = stage.watch_sums()
        running = [stage.run_traffic(generator, per_second=200) for generator in generators]
        faults = {"daemon killed": lambda: (stage.daemon.kill(), stage.daemon.start()),
                  "daemon stopped": lambda: (stage.daemon.stop(), stage.daemon.start()),
                  "source crashed": lambda: (stage.shop.close(),
                                             stage.source.restart("immediate")),
                  "target crashed": lambda: stage.target.restart("immediate"),
                  "worker terminated": lambda: stage.shop.run(
                      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                      "WHERE active_pid IS NOT NULL")}
        done = []
        begun = time.monotonic()
        while len(done) < 30 and time.monotonic() - begun < 70:
            time.sleep(chance.random() * chance.choice([0.1, 1.0]))
            name = chance.choice(sorted(faults))
            faults[name]()
            done.append(name)
        print(", ".join(done), flush=True)
        for traffic in running:
            traffic.finish()
        stage.copy.close()
        stage.compare(on_commit=sum_at_every_commit, seconds=90)
        for watcher in watchers:
            watcher.finish()


main()
