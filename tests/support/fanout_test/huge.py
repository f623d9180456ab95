"""What tests of huge values share: a look at a process's memory, and at a line too long to parse."""
import base64
import hashlib
import mmap
import threading
import time

MEGABYTE = 1024 * 1024


class Memory(threading.Thread):
    """The most anonymous memory a process had while this watched."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path = f"/proc/{pid}/status"
        self.most_mb = 0
        self.watching = True
        self.start()

    def run(self):
        while self.watching:
            try:
                with open(self.path, encoding="ascii") as file:
                    kilobytes = [int(line.split()[1]) for line in file if line.startswith("RssAnon")]
            except (OSError, ValueError):
                return
            self.most_mb = max([self.most_mb] + [kb // 1024 for kb in kilobytes])
            time.sleep(0.01)

    def finish(self):
        self.watching = False
        self.join()
        return self.most_mb


def private_mb(pid):
    """Memory that is the process's own, in MiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("RssAnon")) // 1024


def hash_in_file(path, line, member, binary):
    """SHA-256 of a member of a line too long for a JSON parser, and its size: nothing is escaped."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        start = 0
        for _ in range(line):
            start = text.find(b"\n", start) + 1
        return hash_of_member(text, text.find(b'"after":{', start), member, binary)


def hash_of_row(path, row, member, binary):
    """The same of the last image of the row with this id, which stands first in it."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return hash_of_member(text, text.rfind(f'"after":{{"id":{row},'.encode()), member, binary)


def hash_of_member(text, start, member, binary):
    start = text.find(f'"{member}":"'.encode(), start) + len(member) + 4
    end = text.find(b'"', start)
    digest = hashlib.sha256()
    for at in range(start, end, 4 * MEGABYTE):
        piece = text[at:min(end, at + 4 * MEGABYTE)]
        digest.update(base64.b64decode(piece) if binary else piece)
    return digest.hexdigest(), end - start
