"""Existing rows arrive, then every change, with no gap and no double, whatever happens meanwhile."""
import json
import random
import threading
import time

from fanout_test import shop
from fanout_test.case import main, seed
from fanout_test.copying import SMALL, CopyCase, Writer
from fanout_test.daemon import Daemon
from fanout_test.processes import DEADLINE_SECONDS, wait_until


class Backfill(CopyCase):
    def test_an_idle_table_arrives_whole(self):
        stage = self.stage()
        self.rows(stage, "t", 5000)
        self.rows(stage, "pair", 3000, "a text COLLATE \"C\", b uuid, v numeric, j jsonb, "
                  "PRIMARY KEY (a, b)",
                  "'k' || i % 7, md5(i::text)::uuid, i / 7.0, jsonb_build_object('i', i)")
        self.rows(stage, "empty", 0)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, **SMALL)
            self.finished(stage, kind)
            self.assertEqual(stage.compare(kind), 8000)
        rows = dict((row[0], row[3]) for row in self.copies(stage, "postgres"))
        self.assertEqual(rows, {"t": 5000, "pair": 3000, "empty": 0})
        # Counted by table, although the stream never announced any of them.
        told = {row[0]: row[1] for row in stage.shop.run(
            "SELECT table_name, rows_delivered FROM fanout.subscription_tables "
            "WHERE subscription = 'postgres' AND schema_name = 'public'")}
        self.assertEqual(told, {"t": 5000, "pair": 3000, "empty": 0})

    def test_tables_without_keys(self):
        stage = self.stage()
        self.rows(stage, "log", 2000, "n integer, note text", "i % 50, 'x'")
        stage.shop.run("ALTER TABLE log REPLICA IDENTITY FULL")
        chance = random.Random(seed())

        def step(cursor):
            i = chance.randrange(2000)
            cursor.execute("INSERT INTO log VALUES (%s, 'new')", (i,))
            if i % 10 == 0:
                cursor.execute("UPDATE log SET note = 'y' WHERE n = %s", (i,))
            time.sleep(0.005)
        writer = Writer(stage.shop, step)
        writer.start()
        stage.subscribe("postgres", **SMALL)
        self.finished(stage, "postgres")
        writer.finish()
        stage.compare("postgres")
        self.assertEqual({row[2] for row in self.copies(stage, "postgres")}, {"snapshot"})

    def test_a_busy_shop(self):
        stage = self.stage()
        generator = stage.load(shop, seed=seed())
        stage.fill(generator)
        traffic = stage.run_traffic(generator)
        while traffic.committed < 300 and traffic.is_alive():
            traffic.join(0.05)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, **SMALL)
        for kind in ("postgres", "sqlite", "file"):
            self.finished(stage, kind)
        traffic.finish()
        self.assertGreater(stage.compare(), 100)

    def test_every_change_in_every_window(self):
        stage = self.stage()
        self.hot(stage, 3000)
        writers = self.hot_writers(stage, 3500)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, **SMALL)
        for kind in ("postgres", "sqlite", "file"):
            self.finished(stage, kind)
        for writer in writers:
            writer.finish()
        self.assertGreater(sum(writer.count for writer in writers), 50)
        stage.compare()

    def test_survives_kills_of_everything(self):
        stage = self.stage()
        self.hot(stage, 6000)
        writers = self.hot_writers(stage, 6500, 2)
        stage.subscribe("postgres", **SMALL, rows_per_second=3000)
        stage.subscribe("file", **SMALL, rows_per_second=3000)
        chance = random.Random(seed())
        kills = 0
        for _ in range(8):
            time.sleep(chance.uniform(0.1, 0.6))
            what = chance.choice(("daemon", "daemon", "target", "source"))
            if what == "daemon":
                stage.daemon.kill()
                stage.daemon.start()
            elif what == "target":
                stage.target.restart("immediate")
            else:
                stage.source.restart("immediate")
            kills += 1
        self.finished(stage, "postgres", 120)
        self.finished(stage, "file", 120)
        for writer in writers:
            writer.finish()
        stage.compare("postgres", "file")

    def test_truncate_meanwhile(self):
        stage = self.stage()
        self.rows(stage, "t", 20000)
        stage.subscribe("postgres", **SMALL, rows_per_second=20000)
        stage.subscribe("sqlite", **SMALL, rows_per_second=20000)
        for i in range(6):
            time.sleep(0.15)
            stage.shop.run("TRUNCATE t")
            stage.shop.run("INSERT INTO t SELECT i, i, 'again' FROM generate_series(1, %s) i",
                           (3000 * (i + 1),))
        self.finished(stage, "postgres")
        self.finished(stage, "sqlite")
        stage.compare("postgres", "sqlite")

    def test_a_key_that_changes_its_columns(self):
        stage = self.stage()
        self.rows(stage, "t", 20000, "id integer PRIMARY KEY, other integer NOT NULL UNIQUE, n text",
                  "i, 100000 - i, 'x'")
        stage.subscribe("postgres", **SMALL, rows_per_second=20000)
        time.sleep(0.3)
        stage.shop.run("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (other)")
        stage.shop.run("UPDATE t SET n = 'y' WHERE other % 3 = 0")
        self.finished(stage, "postgres")
        stage.compare("postgres")

    def test_resync_and_cancel_beside_others(self):
        stage = self.stage()
        self.hot(stage, 2000)
        self.rows(stage, "calm", 4000)
        writers = self.hot_writers(stage, 2200, 2)
        for kind in ("postgres", "sqlite", "file"):
            stage.subscribe(kind, **SMALL)
        for kind in ("postgres", "sqlite", "file"):
            self.finished(stage, kind)
        stage.copy.run("DELETE FROM calm WHERE id % 2 = 0")
        stage.copy.run("INSERT INTO calm VALUES (99999, 0, 'foreign')")
        stage.shop.run("SELECT fanout.resync('postgres', ARRAY['public.calm', 'public.hot'])")
        stage.shop.run("SELECT fanout.resync('sqlite', ARRAY['public.hot'])")
        self.rows(stage, "late", 1500)
        for kind in ("postgres", "sqlite", "file"):
            self.finished(stage, kind)
        for writer in writers:
            writer.finish()
        stage.compare()

    def test_rows_and_columns_as_in_the_stream(self):
        stage = self.stage()
        self.rows(stage, "t", 6000, "id integer PRIMARY KEY, n integer, note text, own text",
                  "i, i % 10, 'row ' || i, 'secret'")
        stage.shop.run("ALTER TABLE t REPLICA IDENTITY FULL")
        chance = random.Random(seed())

        def step(cursor):
            key = chance.randrange(6500)
            cursor.execute("UPDATE t SET n = (n + 1) %% 10 WHERE id = %s", (key,))
            if key % 9 == 0:
                cursor.execute("DELETE FROM t WHERE id = %s", (key,))
            if key % 9 == 1:
                cursor.execute("INSERT INTO t VALUES (%s, 7, 'new', 'secret') "
                               "ON CONFLICT DO NOTHING", (key,))
        writer = Writer(stage.shop, step)
        writer.start()
        stage.subscribe("postgres", [json.dumps({"table": "public.t", "where": "n >= 5",
                                                 "columns": ["id", "n", "note"]})], **SMALL)
        self.finished(stage, "postgres")
        writer.finish()
        stage.wait_for("postgres")
        self.assertEqual(stage.copy.run("SELECT id, n, note FROM t ORDER BY id"),
                         stage.shop.run("SELECT id, n, note FROM t WHERE n >= 5 ORDER BY id"))
        self.assertEqual(stage.copy.run("SELECT count(*) FROM pg_attribute WHERE attname = 'own' "
                                        "AND attrelid = 't'::regclass")[0][0], 0)

    def test_a_role_that_may_not_read(self):
        stage = self.stage(start=False)
        self.rows(stage, "t", 500)
        stage.shop.run("CREATE ROLE reader LOGIN")
        stage.shop.run("GRANT fanout_admin TO reader")
        stage.daemon = Daemon(stage.folder, stage.shop.dsn(user="reader"))
        stage.daemon.start()
        stage.subscribe("postgres", **SMALL)
        check = wait_until("the check names the table", lambda: stage.shop.row(
            "SELECT * FROM fanout.check() WHERE item = 'backfill of public.t'"))
        self.assertEqual((check["state"], check["remedy"]),
                         ("error", "GRANT SELECT ON public.t TO reader;"))
        wait_until("the view says why", lambda: "GRANT SELECT ON public.t TO" in (
            self.copies(stage, "postgres")[0][7] or ""))
        stage.shop.run(check["remedy"])
        self.finished(stage, "postgres")
        stage.compare("postgres")

    def test_the_default_is_to_copy(self):
        stage = self.stage()
        self.rows(stage, "t", 300)
        stage.shop.run("SELECT fanout.create_target('file', 'file', %s)",
                       (json.dumps(stage.options_of("file")),))
        stage.shop.run("SELECT fanout.create_subscription('file', 'file', '{public.*}')")
        self.finished(stage, "file")
        self.rows(stage, "late", 200)
        wait_until("the table of later is copied", lambda: len(self.copies(stage, "file")) == 2
                   and self.is_copied(stage, "file"))
        stage.compare("file")

    def test_a_commit_that_nobody_sees_yet(self):
        stage = self.stage()
        self.rows(stage, "t", 3000)
        stage.source.set_and_reload(synchronous_standby_names="'nobody'")
        done = []

        def commit():
            connection = stage.shop.connect()
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit = on")
                cursor.execute("UPDATE t SET note = 'unseen' WHERE id % 5 = 0")
            done.append(True)
            connection.close()
        waits = False
        while not waits:  # until the checkpointer has read the setting: it tells the commits
            done.clear()
            thread = threading.Thread(target=commit, daemon=True)
            thread.start()
            waits = wait_until("the commit waits", lambda: done or stage.shop.value(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1) is True
        connection = stage.shop.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = local")
            cursor.execute("SELECT fanout.create_target('postgres', 'postgres', %s)",
                           (json.dumps(stage.options_of("postgres")),))
            cursor.execute("SELECT fanout.create_subscription('postgres', 'postgres', "
                           "ARRAY['public.*'], %s)", (json.dumps({**SMALL, "create_tables": True}),))
        connection.close()
        time.sleep(1.5)
        self.assertEqual(done, [])
        stage.source.set_and_reload(synchronous_standby_names="''")
        thread.join(DEADLINE_SECONDS)
        self.finished(stage, "postgres")
        stage.compare("postgres")

    def test_the_newest_commit_that_nobody_sees_yet(self):
        """Snapshots do not name it as running: it is newer than any transaction that has ended."""
        stage = self.stage()
        stage.shop.run("CREATE TABLE t (n integer)")
        wait_until("the stream runs", lambda: stage.shop.value(
            "SELECT state FROM fanout.streams") == "streaming")
        stage.source.set_and_reload(synchronous_standby_names="'nobody'")
        waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        newest = None
        while not newest:  # until nobody else's transaction ends behind it
            connection = stage.shop.connect()
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit = on")
                thread = threading.Thread(target=cursor.execute, daemon=True,
                                          args=("INSERT INTO t VALUES (1)",))
                thread.start()
                wait_until("the commit waits", lambda: not thread.is_alive() or
                           stage.shop.value(f"SELECT count(*) {waiting}") == 1)
                newest, settled = stage.shop.row(
                    "SELECT max(backend_xid::text::bigint) >= "
                    "pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
                    f"fanout._settle(50) {waiting}").values()
                connection.cancel()
                thread.join(DEADLINE_SECONDS)
            connection.close()
        self.assertFalse(settled)
        stage.source.set_and_reload(synchronous_standby_names="''")
        self.assertTrue(stage.shop.value("SELECT fanout._settle(50)"))

    def test_prepared_and_long_transactions(self):
        stage = self.stage(settings={"max_prepared_transactions": "5"})
        self.rows(stage, "t", 3000)
        stage.shop.run("CREATE TABLE elsewhere (n integer)")
        connection = stage.shop.connect(autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE t SET note = 'prepared' WHERE id % 7 = 0")
            cursor.execute("PREPARE TRANSACTION 'later'")
        connection.rollback()
        slow = stage.shop.connect(autocommit=False)
        slow.cursor().execute("UPDATE t SET note = 'slow' WHERE id % 7 = 1")
        stage.subscribe("postgres", ["public.t"], **SMALL)
        stage.tables = ["public.t"]
        self.finished(stage, "postgres")
        slow.commit()
        slow.close()
        stage.shop.run("COMMIT PREPARED 'later'")
        stage.compare("postgres")


main()
