"""A backfill under load while fanoutd, the target and the source are killed over and over: exact, and
what is read again stays within what was being read.

The source's log tells how often a chunk was read: each is one COPY. FANOUT_TEST_KILLS says how many.
"""
import os
import random
import re
import time

from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase
from fanout_test.processes import wait_until

KILLS = int(os.environ.get("FANOUT_TEST_KILLS", 40))
WORKERS = 2
# As slow as the kills are, so that there is always something left to copy.
ROWS_PER_KILL, ROWS_PER_SECOND = 1500, 2000


class Kills(CopyCase):
    def test_killed_over_and_over(self):
        stage = self.stage(settings={"log_statement": "'all'"})
        keys = max(4000, KILLS * ROWS_PER_KILL)
        self.rows(stage, "calm", keys, "id integer PRIMARY KEY, wide text",
                  "i, repeat(md5(i::text), 8)")
        self.hot(stage, 1000)
        writers = self.hot_writers(stage, 1200, 2)
        stage.subscribe("postgres", **{**SMALL, "workers": WORKERS},
                        rows_per_second=ROWS_PER_SECOND)
        wait_until("it has begun", lambda: any(row[3] for row in self.copies(stage, "postgres")))
        self.chance = random.Random(seed())
        kills = 0
        while kills < KILLS and not self.is_copied(stage, "postgres"):
            time.sleep(self.chance.uniform(0.05, 0.8))
            self.kill_one(stage)
            kills += 1
        print(f"{kills} kills, of {KILLS}, while rows were copied")
        stage.shop.run("SELECT fanout.alter_subscription('postgres', '{\"rows_per_second\": null}')")
        self.finished(stage, "postgres", 120)
        for writer in writers:
            writer.finish()
        stage.compare("postgres", seconds=120)
        self.assertGreater(kills, KILLS // 2)
        chunks = sum(row[4] for row in self.copies(stage, "postgres"))
        read = self.chunks_read(stage)
        print(f"{read} chunks read for {chunks}: {read - chunks} twice")
        self.assertLessEqual(read - chunks, kills * WORKERS)

    def kill_one(self, stage):
        what = self.chance.choice(("daemon", "daemon", "target", "source"))
        if what == "daemon":
            stage.daemon.kill()
            stage.daemon.start()
        elif what == "target":
            stage.target.restart("immediate")
        else:
            stage.source.restart("immediate")
            stage.shop.close()  # a connection of before

    def chunks_read(self, stage):
        with open(stage.source.log_path, encoding="utf-8", errors="replace") as log:
            return len(re.findall(r"statement: COPY \(SELECT .* TO STDOUT \(FORMAT binary\)",
                                  log.read()))


main()
