"""CPU time of processes, from the operating system: user + system, all threads."""
import os


def cpu_us(pid):
    """Microseconds of CPU that `pid` has used; 0 once it is gone."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total / 1000.0


def rss_max_mb(pid):
    """Largest resident size so far, in MiB; the shared ring and buffers count where touched."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024.0
    except FileNotFoundError:
        pass
    return None


def rss_private_mb(pid):
    """Resident memory that is the process's own (RssAnon), in MiB."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) / 1024.0
    except FileNotFoundError:
        pass
    return None


class Watch:
    """The CPU that some processes use between start() and stop()."""

    def __init__(self, *pids):
        self.pids = pids
        self.before = [cpu_us(pid) for pid in pids]

    def us(self):
        return sum(max(0.0, cpu_us(pid) - before) for pid, before in zip(self.pids, self.before))


def tree_us(pid):
    """Microseconds of CPU of `pid` and all its children, those that have ended too (in steps of a
    hundredth of a second)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            ended = sum(int(ticks) for ticks in file.read().rsplit(")", 1)[1].split()[13:15])
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (cpu_us(pid) + ended * 1e6 / os.sysconf("SC_CLK_TCK")
            + sum(tree_us(child) for child in children))


class TreeWatch:
    """The CPU that a process and all its children use from now on."""

    def __init__(self, pid):
        self.pid = pid
        self.before = tree_us(pid)

    def us(self):
        return tree_us(self.pid) - self.before


def load_average():
    return os.getloadavg()[0]
