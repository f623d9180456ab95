"""Starts processes and ends exactly these: by pid, never by name.

A process started here dies with this one even if this one is killed (parent-death signal), which
follows the *thread* that started it: so start processes from the main thread.
"""
import atexit
import os
import signal
import subprocess
import sys
import threading
import time

DEADLINE_SECONDS = float(os.environ.get("FANOUT_TEST_DEADLINE", "60"))

_running = []


class Process:
    """A child process with a log file. stop() and kill() wait until it is gone."""

    def __init__(self, name, command, log_path, env=None, cwd="/", detached=False):
        assert threading.current_thread() is threading.main_thread(), "see the module's comment"
        self.name = name
        self.command = command
        self.log_path = log_path
        self.log_start = os.path.getsize(log_path) if os.path.exists(log_path) else 0
        with open(log_path, "ab") as log:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, env=env, cwd=cwd, start_new_session=True)
        if not detached:  # then whoever started it has written down its pid
            _running.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def send(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, seconds=DEADLINE_SECONDS):
        """The exit status; raises with the end of the log if the process is still there."""
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} (pid {self.pid}) did not end within {seconds:g} s\n"
                               + self.log_tail()) from None
        if self in _running:
            _running.remove(self)
        return status

    def stop(self, number=signal.SIGTERM, seconds=DEADLINE_SECONDS):
        self.send(number)
        return self.wait(seconds)

    def kill(self):
        """SIGKILL: what a power cut is to this process."""
        return self.stop(signal.SIGKILL)

    def log_text(self):
        """What this process wrote (the file may be shared with its predecessors)."""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            file.seek(self.log_start)
            return file.read()

    def log_tail(self, lines=40):
        text = self.log_text().splitlines()[-lines:]
        return f"--- end of {self.log_path}\n" + "\n".join(text) + "\n---"

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@atexit.register
def end_all():
    for process in list(reversed(_running)):
        try:
            process.stop(signal.SIGQUIT if process.name.startswith("postgres") else signal.SIGTERM,
                         seconds=10)
        except TimeoutError:
            process.kill()
        except ProcessLookupError:
            pass


def _leave(number, _frame):
    sys.exit(128 + number)


for _number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_number, _leave)


def wait_until(what, condition, seconds=DEADLINE_SECONDS, pause=0.05):
    """Polls until condition() is true and returns its value; `what` is the sentence if it never
    is, and may be a function that explains the last state."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise TimeoutError(f"after {seconds:g} s still not so: {text}")
        time.sleep(pause)
