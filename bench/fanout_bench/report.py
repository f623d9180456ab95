"""What a measure found: a compact table on the screen, and JSON for machines."""
import json
import statistics
import sys


class Report:
    """Runs of contestants, each a dict of figures; shown as minimum and median over the runs."""

    def __init__(self, measure, load):
        self.measure = measure
        self.load = load
        self.notes = []
        self.runs = {}  # (name, workload) -> [figures]

    def add(self, name, workload, **figures):
        self.runs.setdefault((name, workload), []).append(
            {key: value for key, value in figures.items() if value is not None})
        shown = ", ".join(f"{key} {_number(value)}" for key, value in figures.items()
                          if value is not None)
        print(f"  {workload:8} {name:34} {shown}", file=sys.stderr, flush=True)

    def note(self, text):
        self.notes.append(text)

    def best(self, name, workload, figure):
        """The minimum over the runs (the maximum of rates), or None."""
        values = [run[figure] for run in self.runs.get((name, workload), []) if figure in run]
        if not values:
            return None
        return max(values) if figure == "rows_per_s" else min(values)

    def contestants(self):
        found = []
        for (name, workload), runs in self.runs.items():
            entry = {"name": name, "workload": workload}
            for figure in dict.fromkeys(key for run in runs for key in run):
                entry[figure] = self.best(name, workload, figure)
                if len(runs) > 1 and figure != "rows":
                    entry[figure + "_median"] = statistics.median(
                        run[figure] for run in runs if figure in run)
            found.append({key: round(value, 4) if isinstance(value, float) else value
                          for key, value in entry.items()})
        return found

    def write_json(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"measure": self.measure, "load": round(self.load, 2),
                       "contestants": self.contestants(), "notes": self.notes}, file, indent=1)
            file.write("\n")

    def show(self, figure, unit, against):
        """One table per workload: minimum, median, and the ratio to the contestant `against`."""
        for workload in dict.fromkeys(workload for _, workload in self.runs):
            base = self.best(against, workload, figure)
            print(f"\n{self.measure}, {workload}: {unit}")
            print(f"  {'':34} {'best':>10} {'median':>10} {'ratio':>7}")
            for (name, its_workload), runs in self.runs.items():
                values = [run[figure] for run in runs if figure in run]
                if its_workload != workload or not values:
                    continue
                best = self.best(name, workload, figure)
                ratio = f"{best / base:7.2f}" if base else "      -"
                print(f"  {name:34} {_number(best):>10} "
                      f"{_number(statistics.median(values)):>10} {ratio}")

    def close(self):
        for text in self.notes:
            print(f"note: {text}")
        print(f"load average of the machine before the run: {self.load:.2f}")


def _number(value):
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
