"""A copy to a target that keeps no cursor: what was printed cannot be taken back, so a crash repeats
chunks and changes. A reader that drops repeated changes by their position, and lets rows that were read
replace what it has, still ends up with the source's rows: none is missing, none is left over.
"""
import json
import os
import random
import time

from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase
from fanout_test.processes import wait_until

KILLS = 6


class Reader:
    """The rows of one table, as such a reader has them."""

    def __init__(self, path):
        self.rows, self.reads, self.repeated = {}, {}, 0
        self.last = (0, 0)
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # cut short by a kill
                self.take(event)

    def take(self, event):
        if event["op"] == "read":
            key = event["after"]["id"]
            self.reads[key] = self.reads.get(key, 0) + 1
            self.rows[key] = event["after"]
            return
        high, low = event["lsn"].split("/")
        position = (int(high, 16) << 32 | int(low, 16), event["index"])
        if position < self.last:
            self.repeated += 1
            return
        self.last = position
        if event["op"] == "truncate":
            self.rows.clear()
        elif event["op"] == "insert":
            self.rows[event["after"]["id"]] = event["after"]
        else:
            self.change(event)

    def change(self, event):
        old = self.rows.pop((event.get("before") or event["key"])["id"], None)
        if event["op"] == "update" and (old is not None or event.get("lenient")):
            # Of a row that was not known yet it is read later.
            new = {**event["after"], **{name: (old or {}).get(name) for name in event["unchanged"]}}
            self.rows[new["id"]] = new


class Printed(CopyCase):
    def start(self, stage):
        """Standard output apart from the log, where a supervisor would have it."""
        command = stage.daemon.command()
        stage.daemon.command = lambda detached=False: command[:3] + [
            "sh", "-c", 'exec "$0" "$@" >> ' + self.path] + command[3:]
        stage.daemon.start()

    def test_killed_over_and_over(self):
        stage = self.stage(start=False)
        self.path = os.path.join(stage.folder, "printed.jsonl")
        self.start(stage)
        self.hot(stage, 6000)
        stage.subscribe("stdout", create_tables=False, target_options={"unrepresentable": "text"},
                        **SMALL, rows_per_second=500)  # there is always something left to copy
        writers = self.hot_writers(stage, 6500, 2)
        chance = random.Random(seed())
        for _ in range(KILLS):
            copied = (self.copies(stage, "stdout") or [[None] * 8])[0][3]
            wait_until(lambda: f"it goes on: {self.copies(stage, 'stdout')}",
                       lambda: (self.copies(stage, "stdout") or [[None] * 8])[0][3] != copied)
            time.sleep(chance.uniform(0.1, 0.6))
            stage.daemon.kill()
            with open(self.path, "a", encoding="utf-8") as lines:
                lines.write("\n")
            time.sleep(0.3)  # changes that the next start finds
            stage.daemon.start()
        stage.shop.run("SELECT fanout.alter_subscription('stdout', '{\"rows_per_second\": null}')")
        self.finished(stage, "stdout")
        for writer in writers:
            writer.finish()
        stage.wait_for("stdout")
        reader = Reader(self.path)
        source = {row[0]: {"id": row[0], "n": row[1], "wide": row[2]}
                  for row in stage.shop.run("SELECT id, n, wide FROM hot")}
        twice = sum(1 for count in reader.reads.values() if count > 1)
        print(f"{len(reader.reads)} keys were read, {twice} of them more than once; "
              f"{reader.repeated} changes came again", flush=True)
        self.assertEqual(sorted(set(reader.rows) - set(source)), [], "left over")
        self.assertEqual(sorted(set(source) - set(reader.rows)), [], "missing")
        self.assertEqual([key for key in source if reader.rows[key] != source[key]], [], "other values")
        self.assertGreater(twice, 0)


main()
