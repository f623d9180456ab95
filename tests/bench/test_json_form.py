"""scripts/bench --json: the form that other programs read, from one tiny run."""
import importlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

from fanout_test import places

BENCH = os.path.join(places.ROOT, "bench")
NUMBERS = ("rows", "cpu_us_per_row", "rows_per_s", "p50_ms", "p99_ms", "rss_max_mb")
WORDS = ("null", "pg_fanout", "pgoutput", "test_decoding", "wal2json", "decoderbufs", "native",
         "blackhole", "file", "COPY")
WORKLOADS = ("insert", "update", "pgbench")


class JsonForm(unittest.TestCase):
    def check(self, found, measure):
        self.assertEqual(found["measure"], measure)
        self.assertIsInstance(found["load"], (int, float))
        self.assertGreater(len(found["contestants"]), 0)
        for entry in found["contestants"]:
            self.assertEqual(list(entry)[:2], ["name", "workload"])
            self.assertTrue(any(word in entry["name"] for word in WORDS), entry)
            self.assertIn(entry["workload"], WORKLOADS)
            self.assertLessEqual(set(entry) - {"name", "workload"}, set(NUMBERS))
            for key in set(entry) & set(NUMBERS):
                self.assertIsInstance(entry[key], (int, float))
                self.assertGreater(entry[key], 0, f"{key} of {entry['name']}")

    def test_a_tiny_pipeline(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.json")
            environment = dict(os.environ)
            environment["PYTHONPATH"] = os.pathsep.join(
                [BENCH, environment.get("PYTHONPATH", "")])
            done = subprocess.run(
                [sys.executable, "-m", "fanout_bench", "pipeline", "--rows", "2000", "--runs", "1",
                 "--workload", "insert", "--json", path],
                env=environment, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
        self.check(found, "pipeline")
        self.assertEqual([entry["name"] for entry in found["contestants"]],
                         ["pgoutput, walsender", "pg_fanout to blackhole", "pg_fanout to file"])
        for entry in found["contestants"]:
            self.assertEqual(entry["rows"], 2000)
            self.assertIn("cpu_us_per_row", entry)
            self.assertIn("rows_per_s", entry)
            self.assertIn("rss_max_mb", entry)
        self.assertIn("load before", done.stdout)

    def test_names_of_every_measure(self):
        """Each contestant's name has one of the words that other programs look for."""
        sys.path.insert(0, BENCH)
        names = []
        for measure, where in (("decode", ("PEERS", "OURS")), ("overhead", ("NOBODY", "WALSENDER",
                               "FANOUT")), ("pipeline", ("PEER", "BLACKHOLE", "FILE")),
                               ("huge", ("BLACKHOLE", "FILE"))):
            module = importlib.import_module(f"fanout_bench.{measure}")
            for attribute in where:
                value = getattr(module, attribute)
                names += [value] if isinstance(value, str) else list(value)
        for name in names:
            self.assertTrue(any(word in name for word in WORDS), name)


if __name__ == "__main__":
    unittest.main()
