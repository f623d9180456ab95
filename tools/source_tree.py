"""The files of the repository as the checks see them: hand-written sources, no build output.

Walks the directory rather than asking git, so that the checks also run on an unpacked archive.
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CPP = (".cpp", ".hpp", ".h")
SCRIPTS = (".py", ".sh")


def _skipped(name):
    return name.startswith("build") or name in (".git", ".cache", "__pycache__", "results")


def files(suffixes=CPP):
    """Relative paths of all sources with one of the suffixes, sorted."""
    found = []
    for folder, children, names in os.walk(ROOT):
        children[:] = sorted(c for c in children if not _skipped(c))
        for name in names:
            if name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), ROOT))
    return sorted(found)


def commands():
    """Relative paths of the scripts without a suffix that a person types."""
    found = []
    for folder in ("scripts", "tools", ".ci"):
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            path = os.path.join(folder, name)
            if "." not in name and os.path.isfile(os.path.join(ROOT, path)):
                found.append(path)
    return found


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def finish(check, complaints, checked):
    """Prints the verdict and ends the process with it."""
    for complaint in complaints:
        print(f"{check}: {complaint}")
    print(f"{check}: {checked} files, {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


def stale(waivers, used, what):
    """A waiver nobody needs any more is a complaint too, or the list only grows."""
    return [f"waiver for {key} is not needed any more: remove it from {what}"
            for key in waivers if key not in used]
