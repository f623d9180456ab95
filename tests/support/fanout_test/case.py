"""unittest with a stage: made in setUp or in the test, ended afterwards, its logs shown on failure.

A test file ends with `main()`. FANOUT_TEST_SEED repeats a run with random choices.
"""
import os
import random
import sys
import time
import unittest

from .stage import Stage


def seed():
    """The seed of this run: given, or new; printed so that a failure can be repeated."""
    chosen = int(os.environ.get("FANOUT_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {chosen} (repeat with FANOUT_TEST_SEED={chosen})", flush=True)
    return chosen


class Case(unittest.TestCase):
    longMessage = True

    def stage(self, start=True, install=True, **options):
        """A new stage, with the extension, the stream main and a running daemon unless told."""
        made = Stage(**options)
        self.addCleanup(made.close)
        self.addCleanup(self._show_logs, made)
        if install:
            made.install(start)
        return made

    def _show_logs(self, stage):
        outcome = self._outcome.result
        if any(test is self for test, _ in outcome.failures + outcome.errors) or \
                getattr(self, "show_logs", False) or sys.exc_info()[0]:
            print(stage.logs(), file=sys.stderr)

    def run(self, result=None):
        begun = time.monotonic()
        super().run(result)
        print(f"{self.id().rsplit('.', 1)[-1]}: {time.monotonic() - begun:.1f} s", flush=True)

    def in_one(self, stage, *statements):
        """One transaction of the source."""
        connection = stage.shop.connect(autocommit=False)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def refused(self, call, *texts, sqlstate=None):
        """call() must raise a database error whose message, detail and hint hold all the texts."""
        import psycopg2
        with self.assertRaises(psycopg2.Error) as caught:
            call()
        error = caught.exception
        shown = "\n".join(filter(None, (error.diag.message_primary, error.diag.message_detail,
                                        error.diag.message_hint))) or str(error)
        for text in texts:
            self.assertIn(text, shown)
        if sqlstate:
            self.assertEqual(error.pgcode, sqlstate, shown)
        return shown


def main():
    unittest.main(module="__main__", verbosity=2, failfast=False)
