"""What a measure found: a compact table on the screen, and JSON for machines."""
import json
import os
import platform
import statistics
import sys

# A contestant's fields in the JSON, the same for every measure; one that does not apply is left out.
FIELDS = ("rows", "cpu_us_per_row", "rows_per_s", "p50_ms", "p99_ms", "rss_max_mb")
LARGER_IS_BETTER = ("rows_per_s",)
LARGEST_COUNTS = ("rss_max_mb", "worker_mb", "daemon_mb")


class Report:
    """Runs of contestants, each a dict of figures; shown as best and median over the runs."""

    def __init__(self, measure, load):
        self.measure = measure
        self.load = load
        self.notes = []
        self.goals = []
        self.runs = {}  # (name, workload) -> [figures]

    def add(self, name, workload, **figures):
        self.runs.setdefault((name, workload), []).append(
            {key: value for key, value in figures.items() if value is not None})
        shown = ", ".join(f"{key} {_number(value)}" for key, value in figures.items()
                          if value is not None)
        print(f"  {workload:8} {name:30} {shown}", file=sys.stderr, flush=True)

    def note(self, text):
        self.notes.append(text)

    def goal(self, what, value, relation, limit):
        met = value <= limit if relation == "<=" else value >= limit
        self.goals.append({"what": what, "value": _rounded(value), "goal": f"{relation} {limit:g}",
                           "met": met})

    def values(self, name, workload, figure):
        return [run[figure] for run in self.runs.get((name, workload), []) if figure in run]

    def best(self, name, workload, figure):
        """The minimum over the runs (the maximum of rates and of memory), or None."""
        values = self.values(name, workload, figure)
        if not values:
            return None
        return (max if figure in LARGER_IS_BETTER + LARGEST_COUNTS else min)(values)

    def paired(self, name, against, workload, figure):
        """The median over the runs of the ratio within a run: what else the machine did in a run hit
        both, so this is steadier than the ratio of two minima."""
        ratios = [ours / theirs for ours, theirs in zip(self.values(name, workload, figure),
                                                        self.values(against, workload, figure))
                  if theirs > 0]
        return statistics.median(ratios) if ratios else float("nan")

    def worst(self, name, workload, figure):
        return max(self.values(name, workload, figure))

    def contestants(self):
        found = []
        for name, workload in self.runs:
            entry = {"name": name, "workload": workload}
            for figure in FIELDS:
                value = self.best(name, workload, figure)
                if value is not None:
                    entry[figure] = _rounded(value)
            found.append(entry)
        return found

    def details(self):
        """Every figure of every run, in the order of the runs."""
        figures = [{"name": name, "workload": workload, "figure": figure,
                    "median": _rounded(statistics.median(self.values(name, workload, figure))),
                    "runs": [_rounded(value) for value in self.values(name, workload, figure)]}
                   for (name, workload), runs in self.runs.items()
                   for figure in dict.fromkeys(key for run in runs for key in run)]
        return {"machine": machine(), "load_after": _rounded(os.getloadavg()[0]),
                "goals": self.goals, "notes": self.notes, "figures": figures}

    def write_json(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"measure": self.measure, "load": round(self.load, 2),
                       "contestants": self.contestants(), "details": self.details()},
                      file, indent=1)
            file.write("\n")

    def show(self, figure, unit, against=None):
        """One table per workload: best, median, and their ratios to the contestant `against`."""
        for workload in dict.fromkeys(workload for _, workload in self.runs):
            rows = [(name, self.values(name, its_workload, figure))
                    for name, its_workload in self.runs if its_workload == workload]
            if not any(values for _, values in rows):
                continue
            base = self.best(against, workload, figure)
            print(f"\n{self.measure}, {workload}: {unit}")
            print(f"  {'':34} {'best':>10} {'median':>10} {'best x':>7} {'run x':>7}")
            for name, values in rows:
                if not values:
                    continue
                best = self.best(name, workload, figure)
                ratio = f"{best / base:7.2f} {self.paired(name, against, workload, figure):7.2f}" \
                    if base else ""
                print(f"  {name:34} {_number(best):>10} "
                      f"{_number(statistics.median(values)):>10} {ratio}")

    def close(self):
        print()
        for text in self.notes:
            print(f"note: {text}")
        for goal in self.goals:
            print(f"goal: {goal['what']}: {_number(goal['value'])} ({goal['goal']}) "
                  f"{'met' if goal['met'] else 'MISSED'}")
        print(f"machine: {machine()}; load before {self.load:.2f}, after {os.getloadavg()[0]:.2f}, "
              f"{min((len(runs) for runs in self.runs.values()), default=0)} runs each")


def machine():
    model = "processor unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 ** 30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}"


def _rounded(value):
    return round(value, 4) if isinstance(value, float) else value


def _number(value):
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
