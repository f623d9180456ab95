"""fanoutd under test: started, watched, stopped, killed."""
import os
import signal

from . import places
from .processes import DEADLINE_SECONDS, Process


class Daemon:
    """One state directory; start() may be called again after every kind of end."""

    def __init__(self, folder, source_dsn, name="fanoutd", options=(), env=None, user=None):
        self.name = name
        self.source_dsn = source_dsn
        self.state = os.path.join(folder, f"{name}-state")
        self.log_path = os.path.join(folder, f"{name}.log")
        self.options = list(options)
        self.env = env or {}
        self.user = user
        self.process = None

    def command(self, detached=False):
        plain = [places.fanoutd(), "--source", self.source_dsn, "--state-dir", self.state,
                 *self.options]
        options = [] if detached else ["--pdeathsig", "KILL"]
        if self.user:
            options += ["--reuid", self.user, "--regid", self.user, "--clear-groups"]
        return (["setpriv", *options] if options else []) + plain

    def start(self, detached=False):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("PG", "FANOUT"))}
        environment.update(self.env)
        self.process = Process(self.name, self.command(detached), self.log_path, env=environment,
                               detached=detached)
        return self

    def running(self):
        return self.process is not None and self.process.running()

    def stop(self, seconds=DEADLINE_SECONDS):
        """SIGTERM: it drains and leaves. Returns the exit status, 0 when all is well."""
        return self.process.stop(signal.SIGTERM, seconds)

    def kill(self):
        return self.process.kill()

    def reload(self):
        self.process.send(signal.SIGHUP)

    def log_text(self):
        return self.process.log_text() if self.process else ""

    def log_tail(self, lines=60):
        return self.process.log_tail(lines) if self.process else "(never started)"
