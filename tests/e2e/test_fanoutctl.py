"""fanoutctl against a running daemon: status, check, and watch on a terminal of its own."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from fanout_test import places
from fanout_test.case import Case, main
from fanout_test.processes import DEADLINE_SECONDS, wait_until

PROGRAM = os.path.join(places.BUILD, "bin", "fanoutctl")
COLUMNS, LINES = 80, 24
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "FANOUT"))}
    return {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm"}


class Watch:
    """`fanoutctl watch` on a pseudo terminal; frame() is what a person sees at the moment."""

    def __init__(self, dsn, *options):
        self.master, slave = pty.openpty()
        self.resize(COLUMNS, LINES)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [PROGRAM, "watch", "--source", dsn, "--interval", "0.2", *options], stdin=slave,
            stdout=slave, stderr=slave, env=environment(), start_new_session=True)
        self.output = b""

    def resize(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536)
        return self.output

    def frame(self):
        """The last whole frame, without colours."""
        frames = self.read().split(b"\x1b[H")[1:]
        whole = [f for f in frames if b"\x1b[J" in f]
        if not whole:
            return []
        # The terminal makes \r\n of \n.
        return re.split(r"\r+\n", ESCAPE.sub(b"", whole[-1]).decode())

    def end(self):
        try:
            return self.process.wait(DEADLINE_SECONDS)
        finally:
            self.read()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Fanoutctl(Case):
    def call(self, dsn, *arguments, status=0):
        done = subprocess.run([PROGRAM, *arguments, "--source", dsn], env=environment(),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status in (0, 1) else done.stderr

    def busy_stage(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE orders (id integer PRIMARY KEY)")
        stage.shop.run("INSERT INTO orders SELECT generate_series(1, 1000)")
        stage.shop.run("ANALYZE orders")
        stage.subscribe("file", ["public.orders"], backfill=False)
        stage.wait_state("file", "streaming")
        return stage

    def watch(self, stage, *options):
        watch = Watch(stage.shop.dsn(), *options)
        self.addCleanup(watch.close)
        wait_until("the first frame", watch.frame)
        return watch

    def test_status_shows_the_views(self):
        stage = self.busy_stage()
        text = self.call(stage.shop.dsn(), "status")
        self.assertIn("pg_fanout: shop  fanoutd is connected", text)
        self.assertRegex(text, r"(?m)^main +streaming +\d")
        self.assertRegex(text, r"(?m)^file +file +streaming +0")
        self.assertNotIn("\x1b", text)
        said = json.loads(self.call(stage.shop.dsn(), "status", "--json"))
        self.assertEqual([s["name"] for s in said["subscriptions"]], ["file"])
        self.assertEqual(said["subscriptions"][0]["tables"], ["public.orders"])
        self.assertEqual(said["backfills"], [])

    def test_check_says_what_is_wrong_and_fails(self):
        stage = self.busy_stage()
        self.call(stage.shop.dsn(), "check")
        stage.daemon.stop()
        text = self.call(stage.shop.dsn(), "check", status=1)
        self.assertIn("fanoutd: not connected", text)
        self.assertIn("  fanoutd --source", text)
        said = json.loads(self.call(stage.shop.dsn(), "check", "--json", status=1))
        self.assertIn("error", {row["state"] for row in said})

    def test_errors_say_what_to_do(self):
        stage = self.stage(install=False)
        self.assertIn("CREATE EXTENSION pg_fanout", self.call(stage.shop.dsn(), "status", status=3))
        nowhere = self.call("host=/nowhere dbname=shop", "status", status=3)
        self.assertIn("cannot connect", nowhere)
        self.assertIn("--source", nowhere)
        self.assertIn("fanoutctl --help", self.call("", "look", status=2))
        stage.install(start=False)
        stage.shop.run("CREATE ROLE stranger LOGIN")
        stranger = stage.shop.dsn() + " user=stranger"
        self.assertIn("GRANT fanout_monitor", self.call(stranger, "status", status=3))
        stage.shop.run("GRANT fanout_monitor TO stranger")
        self.call(stranger, "status")
        self.call(stranger, "check", status=1)

    def test_watch_moves_and_gives_the_terminal_back(self):
        stage = self.busy_stage()
        watch = self.watch(stage)
        stage.shop.run("INSERT INTO orders SELECT generate_series(1001, 3000)")
        wait_until(lambda: "2,000 rows shown: " + "\n".join(watch.frame()),
                   lambda: any(re.match(r"file +file +streaming +2,000", line)
                               for line in watch.frame()))
        frame = watch.frame()
        self.assertLessEqual(len(frame), LINES)
        self.assertLessEqual(max(map(len, frame)), COLUMNS)
        self.assertEqual(frame[-1], "q quits")
        self.assertFalse(termios.tcgetattr(watch.slave)[3] & termios.ECHO)
        os.write(watch.master, b"q")
        self.assertEqual(watch.end(), 0)
        self.assertTrue(watch.output.startswith(b"\x1b[?1049h\x1b[?25l"))
        self.assertTrue(watch.output.endswith(b"\x1b[?25h\x1b[?1049l"), watch.output[-40:])
        self.assertEqual(termios.tcgetattr(watch.slave), watch.before)

    def test_signals_give_the_terminal_back(self):
        stage = self.busy_stage()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            watch = self.watch(stage)
            watch.process.send_signal(number)
            self.assertEqual(watch.end(), 0, number)
            self.assertTrue(watch.output.endswith(b"\x1b[?25h\x1b[?1049l"), watch.output[-40:])
            self.assertEqual(termios.tcgetattr(watch.slave), watch.before)

    def test_watch_follows_the_window_and_survives_the_server(self):
        stage = self.busy_stage()
        watch = self.watch(stage)
        watch.resize(60, 8)
        watch.process.send_signal(signal.SIGWINCH)
        wait_until("a smaller frame", lambda: len(watch.frame()) <= 8
                   and max(map(len, watch.frame())) <= 60)
        watch.resize(COLUMNS, LINES)
        stage.source.stop("fast")
        wait_until("the loss is shown", lambda: "trying again" in "\n".join(watch.frame()))
        self.assertIn("file", "\n".join(watch.frame()))
        stage.source.start()
        wait_until("it is back", lambda: "trying again" not in "\n".join(watch.frame()))
        os.write(watch.master, b"\x03")
        self.assertEqual(watch.end(), 0)

    def test_backfills_have_bars(self):
        """As reported: the figures are those of a daemon that has just told them."""
        stage = self.busy_stage()
        stage.shop.run("SELECT fanout.alter_subscription('file', '{\"backfill\": true}')")
        stage.daemon.stop()
        shown = stage.shop.connect(application_name="fanoutd")
        self.addCleanup(shown.close)
        with shown.cursor() as cursor:
            cursor.execute("SELECT d.id, 'orders'::regclass::oid FROM fanout.subscription_def d")
            subscription, table = cursor.fetchone()
            cursor.execute("SELECT fanout.report(%s)", (json.dumps({"subscriptions": [{
                "id": subscription, "state": "streaming", "backfills": [{
                    "table": int(table), "schema": "public", "name": "orders", "generation": 1,
                    "state": "copying", "mode": "ordered", "rows": 500, "chunks": 2,
                    "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                time.gmtime(time.time() - 5))}]}]}),))
        watch = self.watch(stage)
        frame = "\n".join(watch.frame())
        self.assertRegex(frame, r"file +public\.orders +copying +█+.░+ 50 % +500 +\d+ +\d")
        os.write(watch.master, b"q")
        self.assertEqual(watch.end(), 0)

    def test_watch_needs_a_terminal(self):
        stage = self.busy_stage()
        self.assertIn("needs a terminal", self.call(stage.shop.dsn(), "watch", status=2))
        self.assertIn("pg_fanout: shop", self.call(stage.shop.dsn(), "watch", "--once"))


if __name__ == "__main__":
    main()
