"""A throw-away PostgreSQL cluster: copied from a template, on a Unix socket of its own.

No TCP port unless asked, so any number of tests can run at once.
"""
import os
import shutil
import signal
import socket
import subprocess

import psycopg2

from . import places
from .processes import DEADLINE_SECONDS, Process, wait_until

SETTINGS = {
    "wal_level": "logical",
    "max_wal_senders": "4",
    "max_replication_slots": "10",
    "max_worker_processes": "20",
    "max_connections": "50",
    "shared_buffers": "32MB",
    "fsync": "off",  # the machine does not lose power here; processes do, and that needs no fsync
    "autovacuum_naptime": "5s",
    "checkpoint_timeout": "1h",
    "max_wal_size": "1GB",
    "log_line_prefix": "'%m [%p] %b %q%u@%d '",
    "log_checkpoints": "off",
}
PORT = 5432  # part of the socket's name only


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    def __init__(self, folder, name="source", settings=None, tcp=False):
        self.name = name
        self.folder = places.give_to_server(places.own_folder(os.path.join(folder, name)))
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.tcp_port = free_port() if tcp else None
        self.process = None
        subprocess.run(places.as_server(["cp", "-a", "--reflink=auto", places.cluster_template(),
                                         self.data]), check=True)
        with open(self.log_path, "ab"):
            pass
        chosen = dict(SETTINGS)
        chosen["port"] = str(self.tcp_port or PORT)
        chosen["listen_addresses"] = "'127.0.0.1'" if tcp else "''"
        chosen["unix_socket_directories"] = f"'{self.folder}'"
        if self.knows_plugin_list():
            chosen["output_plugin_libraries"] = "'pgoutput, test_decoding, pg_fanout'"
        chosen.update(settings or {})
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.writelines(f"{key} = {value}\n" for key, value in chosen.items()
                            if value is not None)

    def program(self, name):
        return os.path.join(places.postgres_bin(), name)

    def knows_plugin_list(self):
        """Minors before August 2026 refuse to start with a parameter they do not know."""
        asked = subprocess.run(places.as_server([self.program("postgres"), "-C",
                                                 "output_plugin_libraries", "-D", self.data]),
                               capture_output=True, cwd="/", check=False)
        return asked.returncode == 0

    @property
    def port(self):
        return self.tcp_port or PORT

    def start(self, wait=True, detached=False):
        """detached: it outlives this process, which then has to be told where it is."""
        self.process = Process(f"postgres {self.name}", places.as_server(
            [self.program("postgres"), "-D", self.data],
            death_signal=None if detached else "QUIT"), self.log_path, detached=detached)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=DEADLINE_SECONDS):
        def ready():
            if not self.process.running():
                raise RuntimeError(f"{self.name} did not start\n" + self.process.log_tail())
            try:
                psycopg2.connect(self.dsn("postgres"), connect_timeout=5).close()
                return True
            except psycopg2.OperationalError:
                return False
        wait_until(f"{self.name} accepts connections", ready, seconds)

    def stop(self, mode="fast", seconds=DEADLINE_SECONDS):
        """smart, fast or immediate, as pg_ctl has them. Returns the exit status."""
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
        return self.process.stop(number[mode], seconds)

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def dsn(self, database, user="postgres", **more):
        parts = {"host": self.folder, "port": self.port, "dbname": database, "user": user, **more}
        return " ".join(f"{key}={value}" for key, value in parts.items())

    def connect(self, database="postgres", user="postgres", autocommit=True, **more):
        connection = psycopg2.connect(self.dsn(database, user, **more))
        connection.autocommit = autocommit
        return connection

    def run(self, statement, arguments=None, database="postgres", user="postgres"):
        """One statement on a connection of its own; the rows, if it has any."""
        connection = self.connect(database, user)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def value(self, statement, arguments=None, database="postgres", user="postgres"):
        rows = self.run(statement, arguments, database, user)
        return rows[0][0] if rows else None

    def create_database(self, name):
        self.run(f'CREATE DATABASE "{name}"')
        return Database(self, name)

    def set_and_reload(self, **settings):
        """Until new sessions have them; who is there already follows when it next looks."""
        for key, value in settings.items():
            self.run(f"ALTER SYSTEM SET {key} = {value}")
        self.reload()

    def reload(self, database="postgres"):
        before = self.value("SELECT pg_conf_load_time()", database=database)
        self.run("SELECT pg_reload_conf()", database=database)
        wait_until(f"{self.name} has read its settings", lambda: self.value(
            "SELECT pg_conf_load_time() > %s", (before,), database=database))

    def set_plugins(self, text):
        if self.knows_plugin_list():
            self.set_and_reload(output_plugin_libraries=text)

    def remove(self):
        if self.process and self.process.running():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


class Database:
    """One database of a cluster, with one connection kept open for questions."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self._connection = None

    def dsn(self, user="postgres", **more):
        return self.server.dsn(self.name, user, **more)

    def connect(self, **more):
        return self.server.connect(self.name, **more)

    def run(self, statement, arguments=None, user=None):
        if user:
            return self.server.run(statement, arguments, self.name, user)
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return cursor.fetchall() if cursor.description else None
        except psycopg2.Error as error:
            # Without a code it is no answer: the connection is lost, whatever psycopg calls it.
            if not error.pgcode or isinstance(error, psycopg2.OperationalError):
                self.close()
            raise

    def value(self, statement, arguments=None, user=None):
        rows = self.run(statement, arguments, user)
        return rows[0][0] if rows else None

    def row(self, statement, arguments=None):
        """The first row as a dict, or None."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            found = cursor.fetchone()
            return dict(zip([c.name for c in cursor.description], found)) if found else None

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Utf8Database(Database):
    """Of another encoding, and spoken to in UTF-8."""

    def connect(self, **more):
        return super().connect(**{"client_encoding": "UTF8", **more})
