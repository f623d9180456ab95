"""The views on a hot standby, and after its promotion."""
import os
import shutil
import subprocess

from fanout_test import places
from fanout_test.case import Case, main
from fanout_test.postgres import Postgres
from fanout_test.processes import wait_until


class Standby(Case):
    def standby_of(self, stage):
        made = Postgres(stage.folder, "standby")
        with open(os.path.join(made.data, "postgresql.conf"), encoding="utf-8") as file:
            settings = file.read()
        shutil.rmtree(made.data)
        subprocess.run(places.as_server(
            [made.program("pg_basebackup"), "-h", stage.source.folder, "-p",
             str(stage.source.port), "-U", "postgres", "-D", made.data, "-R", "-X", "stream",
             "-c", "fast"]), check=True, cwd="/")
        with open(os.path.join(made.data, "postgresql.conf"), "w", encoding="utf-8") as file:
            file.write(settings)
        made.start()
        self.addCleanup(made.stop, "immediate")
        return made

    def test_views_say_that_it_is_a_standby(self):
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (id integer PRIMARY KEY)")
        stage.subscribe("file", ["public.t"], backfill=True)
        stage.wait_state("file", "streaming")
        standby = self.standby_of(stage)

        def ask(statement):
            return standby.run(statement, database="shop")
        self.assertEqual(ask("SELECT name, state FROM fanout.streams"), [("main", "standby")])
        self.assertEqual(ask("SELECT name, state, rows_read FROM fanout.subscriptions"),
                         [("file", "standby", 0)])
        self.assertEqual(ask("SELECT table_name, state FROM fanout.subscription_tables"),
                         [("t", "carried")])
        self.assertEqual(ask("SELECT table_name, state, detail FROM fanout.backfills"),
                         [("t", "waiting", "this server is a standby; ask the primary")])
        self.assertEqual(ask("SELECT item, state FROM fanout.check()"), [("server", "error")])
        self.refused(lambda: ask("SELECT fanout.start_stream()"))
        stage.daemon.stop()
        ask("SELECT pg_promote()")
        wait_until("it is promoted", lambda: not ask("SELECT pg_is_in_recovery()")[0][0])
        self.assertEqual(ask("SELECT name, state FROM fanout.streams"), [("main", "slot_lost")])
        self.assertEqual(ask("SELECT name, state FROM fanout.subscriptions"),
                         [("file", "needs_resync")])


if __name__ == "__main__":
    main()
