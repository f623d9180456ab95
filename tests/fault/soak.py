"""On demand (scripts/test -L soak): 500 kills of fanoutd, ten at every named place and the rest at
random, or as many as FANOUT_SOAK_KILLS says; 0 rows lost, 0 doubled, 0 transactions torn."""
import os

from fault_case import DAEMON_POINTS, FaultCase
from fanout_test.case import main

KILLS = int(os.environ.get("FANOUT_SOAK_KILLS", "500"))


class Soak(FaultCase):
    def test_kills(self):
        self.under_load()
        each = max(1, KILLS * 3 // 4 // len(DAEMON_POINTS))
        points = list(DAEMON_POINTS) * each
        kills = self.kill_runs(points, max(0, KILLS - len(points)), per_comparison=20)
        self.assertGreaterEqual(kills, KILLS)
        for snapshots in self.finished():
            self.assertGreater(snapshots, KILLS)


main()
