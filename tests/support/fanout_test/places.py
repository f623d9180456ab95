"""Where things are: the build, the private PostgreSQL tree, temporary folders, the server's user.

Nothing here needs the clone to be readable by the user the servers run as: whatever they touch is
copied to a folder of their own under /tmp (or $FANOUT_TEST_TMP).
"""
import atexit
import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile

SUPPORT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(SUPPORT))
BUILD = os.environ.get("FANOUT_BUILD_DIR", os.path.join(ROOT, "build"))
TMP = os.environ.get("FANOUT_TEST_TMP", "/tmp")

# A server refuses to run as root. Otherwise everything runs as whoever started the tests.
SERVER_USER = "postgres" if os.geteuid() == 0 else None


def fanoutd():
    return os.path.join(BUILD, "bin", "fanoutd")


def own_folder(path, mode=0o755):
    """Creates the folder, or takes it over if it is ours and nobody else's: /tmp is shared."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise RuntimeError(f"{path} exists and is not a folder of this user: "
                               "remove it, or set FANOUT_TEST_TMP") from None
    os.chmod(path, mode)
    return path


def give_to_server(path):
    if SERVER_USER:
        entry = pwd.getpwnam(SERVER_USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path


def scratch(prefix="fanout-"):
    """A new temporary folder that others may enter; removed when the process ends."""
    path = tempfile.mkdtemp(prefix=prefix, dir=TMP)
    os.chmod(path, 0o755)
    owner = os.getpid()

    def remove():
        if os.getpid() == owner and not os.environ.get("FANOUT_TEST_KEEP"):
            shutil.rmtree(path, ignore_errors=True)
    atexit.register(remove)
    return path


def _cache():
    """One folder per user and build directory, shared by all test processes."""
    digest = hashlib.sha256(os.path.realpath(BUILD).encode()).hexdigest()[:12]
    return own_folder(os.path.join(TMP, f"pg_fanout-tests-{os.geteuid()}-{digest}"))


_bin = None


def postgres_bin():
    """The bin directory of the private PostgreSQL tree, with the extension just built in it."""
    global _bin
    if _bin is None:
        made = subprocess.run([os.path.join(SUPPORT, "pg_root.sh"),
                               os.path.join(_cache(), "root"), BUILD],
                              check=True, stdout=subprocess.PIPE, text=True)
        _bin = made.stdout.strip()
    return _bin


def as_server(command, death_signal=None):
    """The command line as the server's user; it dies with the thread that started it if asked."""
    prefix = ["setpriv"]
    if SERVER_USER:
        prefix += ["--reuid", SERVER_USER, "--regid", SERVER_USER, "--clear-groups"]
    if death_signal:
        prefix += ["--pdeathsig", death_signal]
    return (prefix if len(prefix) > 1 else []) + command


def _text_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def cluster_template():
    """A freshly made data directory, to be copied: five times faster than initdb."""
    template = os.path.join(_cache(), "template")
    marker = os.path.join(template, "data", "template_is_complete")
    version = subprocess.run([os.path.join(postgres_bin(), "postgres"), "--version"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    lock = os.open(os.path.join(_cache(), "template.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _text_of(marker) == version:
            return os.path.join(template, "data")
        shutil.rmtree(template, ignore_errors=True)
        give_to_server(own_folder(template))
        subprocess.run(as_server([os.path.join(postgres_bin(), "initdb"), "-N", "-U", "postgres",
                                  "-A", "trust", "--locale=C.UTF-8", "--encoding=UTF8",
                                  "-D", os.path.join(template, "data")]),
                       check=True, stdout=subprocess.DEVNULL, cwd=TMP)
        with open(marker, "w", encoding="utf-8") as file:
            file.write(version)
        return os.path.join(template, "data")
    finally:
        os.close(lock)
