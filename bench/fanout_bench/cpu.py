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


def load_average():
    return os.getloadavg()[0]
