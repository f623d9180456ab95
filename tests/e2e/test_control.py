"""The SQL control surface through a running daemon: what a person does, and what it shows."""
import json
import os
import threading
import time

from fanout_test import shop
from fanout_test.case import Case, main
from fanout_test.processes import wait_until

SIMPLE = "CREATE TABLE {0} (id integer PRIMARY KEY, note text)"


class Control(Case):
    def lines(self, stage, name="file"):
        path = stage.file_path if name == "file" else os.path.join(stage.folder, f"{name}.jsonl")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def simple(self, stage, *tables):
        for table in tables:
            stage.shop.run(SIMPLE.format(table))
            stage.tables.append(f"public.{table}" if "." not in table else table)

    def subscribe_file(self, stage, name, patterns, **options):
        path = os.path.join(stage.folder, f"{name}.jsonl")
        stage.subscribe("file", patterns, name=name, target_options={"path": path}, **options)

    def test_starts_with_its_creation_and_not_before(self):
        stage = self.stage()
        self.simple(stage, "t")
        stage.shop.run("INSERT INTO t VALUES (1, 'before')")
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (2, 'after')")
        stage.wait_for("file")
        self.assertEqual([line["after"]["id"] for line in self.lines(stage)], [2])

    def test_pause_holds_and_resume_goes_on(self):
        stage = self.stage()
        self.simple(stage, "t")
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.wait_for("file")
        stage.shop.run("SELECT fanout.pause_subscription('file')")
        stage.wait_state("file", "paused")
        stage.shop.run("INSERT INTO t VALUES (2, 'b')")
        self.refused(lambda: stage.wait_for("file"), "paused", "fanout.resume_subscription")
        time.sleep(0.5)
        self.assertEqual(len(self.lines(stage)), 1)
        stage.shop.run("SELECT fanout.resume_subscription('file')")
        stage.wait_for("file")
        self.assertEqual(stage.compare("file"), 2)

    def test_pause_survives_a_restart_of_the_daemon(self):
        stage = self.stage()
        self.simple(stage, "t")
        stage.subscribe("file", ["public.t"])
        stage.shop.run("SELECT fanout.pause_subscription('file')")
        stage.wait_state("file", "paused")
        stage.daemon.stop()
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.daemon.start()
        stage.wait_state("file", "paused")
        time.sleep(0.5)
        self.assertEqual(self.lines(stage), [])
        stage.shop.run("SELECT fanout.resume_subscription('file')")
        self.assertEqual(stage.compare("file"), 1)

    def test_add_and_drop_while_others_run(self):
        stage = self.stage()
        generator = stage.load(shop, seed=3)
        stage.subscribe("postgres")
        stage.fill(generator)
        traffic = stage.run_traffic(generator, per_second=200)
        for number in range(5):
            self.subscribe_file(stage, f"extra{number}", ["public.orders", "public.order_items"])
            time.sleep(0.3)
            stage.shop.run("SELECT fanout.drop_subscription(%s)", (f"extra{number}",))
            stage.shop.run("SELECT fanout.drop_target(%s)", (f"extra{number}",))
        traffic.finish()
        stage.compare("postgres")
        self.assertEqual(stage.shop.value("SELECT count(*) FROM fanout.subscriptions"), 1)
        self.assertTrue(stage.daemon.running())

    def test_a_table_created_later_that_matches_is_carried(self):
        stage = self.stage()
        self.simple(stage, "first")
        stage.subscribe("postgres", ["public.*"])
        self.subscribe_file(stage, "regex", ["/^public\\.(first|l.*r)$/"])
        stage.shop.run("INSERT INTO first VALUES (1, 'a')")
        self.simple(stage, "later", "unseen")
        stage.shop.run("INSERT INTO later VALUES (1, 'b'), (2, 'c')")
        stage.shop.run("INSERT INTO unseen VALUES (1, 'd')")
        stage.wait_for("regex")
        self.assertEqual(stage.compare("postgres"), 4)
        self.assertEqual({line["table"] for line in self.lines(stage, "regex")}, {"first", "later"})

    def test_quoted_names_of_tables_with_dots_and_quotes(self):
        stage = self.stage()
        stage.shop.run('CREATE SCHEMA "a.b"')
        for name in ('"a.b"."c.d"', '"a.b"."e""f"'):
            stage.shop.run(SIMPLE.format(name))
            stage.tables.append(name)
        stage.subscribe("file", ['"a.b"."c.d"', '"a.b"."e""f"'])
        stage.subscribe("postgres", ['"a.b".*'])
        for name in stage.tables:
            stage.shop.run(f"INSERT INTO {name} VALUES (1, 'x')")
        self.assertEqual(stage.compare("file", "postgres"), 2)

    def test_an_owner_who_may_not_read_a_table_is_denied(self):
        stage = self.stage()
        self.simple(stage, "open_table", "secret_table")
        stage.shop.run("CREATE ROLE alice LOGIN")
        stage.shop.run("GRANT fanout_admin TO alice")
        stage.shop.run("GRANT SELECT ON open_table, secret_table TO alice")
        stage.shop.run("SELECT fanout.create_target('a', 'file', %s)",
                       (json.dumps({"path": os.path.join(stage.folder, "a.jsonl")}),), user="alice")
        stage.shop.run("SELECT fanout.create_subscription('a', 'a', "
                       "'{public.open_table,public.secret_table}', '{\"backfill\": false}')",
                       user="alice")
        stage.shop.run("INSERT INTO open_table VALUES (1, 'a')")
        stage.shop.run("INSERT INTO secret_table VALUES (1, 'a')")
        stage.wait_for("a")
        self.assertEqual(len(self.lines(stage, "a")), 2)
        stage.shop.run("REVOKE SELECT ON secret_table FROM alice")
        stage.shop.run("INSERT INTO secret_table VALUES (2, 'not for alice')")
        row = stage.wait_state("a", "denied")
        self.assertIn("secret_table", row["last_error"])
        self.assertEqual(len(self.lines(stage, "a")), 2)
        stage.shop.run("GRANT SELECT ON secret_table TO alice")
        stage.shop.run("SELECT fanout.resume_subscription('a')")
        stage.wait_for("a")
        self.assertEqual(stage.wait_state("a", "streaming")["state"], "streaming")

    def test_a_bad_target_fails_alone_and_says_why_within_5_seconds(self):
        stage = self.stage()
        self.simple(stage, "t")
        stage.subscribe("postgres", ["public.*"])
        stage.subscribe("file", ["public.*"], name="nowhere",
                        target_options={"path": "/no/such/folder/x.jsonl"})
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        row = stage.wait_state("nowhere", "failed", "retrying", seconds=5)
        self.assertIn("/no/such/folder", row["last_error"])
        stage.compare("postgres")

    def test_no_daemon_is_told(self):
        stage = self.stage(start=False)
        self.simple(stage, "t")
        stage.subscribe("file", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        self.assertEqual(stage.status("file")["state"], "waiting")
        self.assertFalse(stage.shop.value("SELECT fanout.wait_for('file', timeout => '200 ms')"))
        stage.daemon.start()
        self.assertEqual(stage.compare("file"), 1)

    def test_wait_for_sees_a_daemon_that_comes_after_it_began(self):
        stage = self.stage(start=False)
        stage.load(shop)
        stage.subscribe("file")
        outcome = []

        def wait():
            try:
                outcome.append(stage.shop.server.value(
                    "SELECT fanout.wait_for('file', timeout => '12 s')", database="shop"))
            except Exception as error:  # the test's thread looks at it
                outcome.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(1)
        # A session like the daemon's control session, of a daemon that cannot deliver yet.
        session = stage.shop.connect(application_name="fanoutd")
        waiting.join()
        session.close()
        self.assertEqual(outcome, [False])

    def test_wait_for_what_was_written_is_enough_to_read_it(self):
        stage = self.stage()
        self.simple(stage, "t")
        stage.subscribe("postgres", ["public.t"])
        for number in range(40):
            stage.shop.run("INSERT INTO t VALUES (%s, 'x')", (number,))
            stage.wait_for("postgres")
            self.assertEqual(stage.copy.value("SELECT count(*) FROM t"), number + 1)

    def test_rolled_back_definitions_leave_nothing(self):
        stage = self.stage()
        self.simple(stage, "t")
        stage.subscribe("postgres", ["public.t"])
        connection = stage.shop.connect(autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute("SELECT fanout.create_target('x', 'file', %s)",
                           (json.dumps({"path": os.path.join(stage.folder, "x.jsonl")}),))
            cursor.execute("SELECT fanout.create_subscription('x', 'x', '{public.t}')")
        connection.rollback()
        connection.close()
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.compare("postgres")
        self.assertIsNone(stage.status("x"))
        self.assertFalse(os.path.exists(os.path.join(stage.folder, "x.jsonl")))


class Postgres(Case):
    """What can be wrong with a PostgreSQL target, and how it comes right again."""

    def test_wrong_password_then_the_right_one(self):
        stage = self.stage(target_tcp=True, start=False)
        stage.target.run("CREATE ROLE writer LOGIN SUPERUSER PASSWORD 'right'")
        with open(os.path.join(stage.target.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write("local all all trust\nhost all writer 127.0.0.1/32 scram-sha-256\n")
        stage.target.reload()
        secret = os.path.join(stage.folder, "password")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("wrong")
        os.chmod(secret, 0o600)
        dsn = f"host=127.0.0.1 port={stage.target.port} dbname=copy user=writer"
        stage.shop.run(SIMPLE.format("t"))
        stage.tables.append("public.t")
        stage.daemon.start()
        stage.subscribe("postgres", ["public.t"], target_options={
            "dsn": dsn + " password=${file:" + secret + "}"})
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        row = stage.wait_state("postgres", "retrying", "failed")
        self.assertIn("password", row["last_error"])
        self.assertNotIn("wrong", row["last_error"])
        with open(secret, "w", encoding="utf-8") as file:
            file.write("right")
        if row["state"] == "failed":
            stage.shop.run("SELECT fanout.resume_subscription('postgres')")
        self.assertEqual(stage.compare("postgres"), 1)
        self.assertNotIn("right", stage.daemon.log_text().split("password")[-1][:20])

    def test_a_password_in_clear_is_refused(self):
        stage = self.stage(start=False)
        self.refused(lambda: stage.shop.run(
            "SELECT fanout.create_target('x', 'postgres', %s)",
            (json.dumps({"dsn": "host=x password=hunter2"}),)), "${")

    def test_down_and_back(self):
        stage = self.stage()
        generator = stage.load(shop, seed=5)
        stage.subscribe("postgres")
        stage.fill(generator)
        stage.target.stop("immediate")
        traffic = stage.run_traffic(generator, per_second=200)
        row = stage.wait_state("postgres", "retrying")
        self.assertTrue(row["last_error"])
        time.sleep(1)
        stage.target.start()
        traffic.finish()
        stage.copy.close()
        stage.compare("postgres")

    def test_a_missing_table_is_named_with_what_to_do(self):
        stage = self.stage()
        stage.shop.run(SIMPLE.format("t"))
        stage.tables.append("public.t")
        stage.subscribe("postgres", ["public.t"], create_tables=False)
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        row = stage.wait_state("postgres", "failed", "retrying")
        self.assertIn("t", row["last_error"])
        stage.copy.run(SIMPLE.format("t"))
        if row["state"] == "failed":
            stage.shop.run("SELECT fanout.resume_subscription('postgres')")
        self.assertEqual(stage.compare("postgres"), 1)

    def test_a_row_changed_at_the_target_is_found_out(self):
        stage = self.stage()
        stage.shop.run(SIMPLE.format("t"))
        stage.subscribe("postgres", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.wait_for("postgres")
        stage.copy.run("DELETE FROM t")
        stage.shop.run("UPDATE t SET note = 'b' WHERE id = 1")
        row = stage.wait_state("postgres", "failed")
        self.assertIn("t", row["last_error"])
        self.assertGreater(row["last_error_at"].timestamp(), time.time() - 60)

    def test_many_targets_with_an_unreachable_one(self):
        stage = self.stage()
        stage.shop.run(SIMPLE.format("t"))
        stage.tables.append("public.t")
        stage.subscribe("postgres", ["public.t"], name="unreachable", target_options={
            "dsn": "host=127.0.0.1 port=1 dbname=x user=y connect_timeout=2"})
        stage.subscribe("postgres", ["public.t"])
        stage.shop.run("INSERT INTO t VALUES (1, 'a')")
        stage.compare("postgres")
        self.assertEqual(stage.wait_state("unreachable", "retrying")["state"],
                         "retrying")
        wait_until("the retries are counted", lambda: stage.status("unreachable")["retries"] >= 2)


main()
