"""What arrives in the ring: rows, shapes, messages, large records, keepalives, and nothing else."""
import time

from fanout_test.case import main
from fanout_test.processes import wait_until
from worker_case import WorkerCase


class Ring(WorkerCase):
    def read_all(self, *options):
        self.shop.run("SELECT fanout.request_report()")
        consumer = self.attach("--until-lsn", self.now(), *options)
        self.assertEqual(consumer.end(), 0, consumer.text())
        self.wait_free()
        return consumer

    def test_rows_arrive_in_commit_order_with_their_shape(self):
        self.shop.run("INSERT INTO t VALUES (1, 'a'), (2, NULL)")
        self.shop.run("UPDATE t SET note = 'b' WHERE id = 1")
        self.shop.run("UPDATE t SET id = 3 WHERE id = 2")
        self.shop.run("DELETE FROM t WHERE id = 3")
        self.shop.run("TRUNCATE t")
        consumer = self.read_all()
        self.assertEqual(len(consumer.lines("relation")), 1)
        self.assertIn("public.t id:integer/c1/f19 note:text/c2/f0 wanted=1,",
                      consumer.lines("relation")[0])
        self.assertEqual(consumer.lines("insert"), ["insert t index=1 new(id=1 note=a)",
                                                    "insert t index=2 new(id=2 note=null)"])
        self.assertEqual(consumer.lines("update"),
                         ["update t index=1 new(id=1 note=b)",
                          "update t index=1 key(id=2) new(id=3 note=null)"])
        self.assertEqual(consumer.lines("delete"), ["delete t index=1 key(id=3)"])
        self.assertEqual(consumer.lines("truncate"), ["truncate tables=1 flags=0"])

    def test_shape_changes_inside_a_transaction(self):
        self.shop.run("BEGIN; INSERT INTO t VALUES (1, 'a'); ALTER TABLE t ADD c int DEFAULT 5; "
                      "INSERT INTO t VALUES (2, 'b'); ALTER TABLE t DROP note; "
                      "INSERT INTO t VALUES (3, 6); ALTER TABLE t RENAME TO tt; "
                      "INSERT INTO tt VALUES (4, 7); COMMIT")
        consumer = self.read_all()
        self.assertEqual(len(consumer.lines("relation")), 4)
        # Each change of the shape stands between the rows that it stands between in the transaction.
        self.assertEqual(consumer.lines("insert"),
                         ["insert t index=1 new(id=1 note=a)", "insert t index=3 new(id=2 note=b c=5)",
                          "insert t index=5 new(id=3 c=6)", "insert tt index=7 new(id=4 c=7)"])
        self.assertEqual([line.split()[2] for line in consumer.lines("ddl")],
                         ["kind=1", "kind=4", "kind=5", "kind=3"])

    def test_what_nobody_wants_is_not_sent(self):
        self.shop.run("CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY); "
                      "CREATE UNLOGGED TABLE u (id int); CREATE MATERIALIZED VIEW m AS SELECT 1 a")
        self.shop.run("INSERT INTO other.t VALUES (1); INSERT INTO u VALUES (1)")
        self.shop.run("REFRESH MATERIALIZED VIEW m")
        consumer = self.read_all()
        self.assertEqual(consumer.lines("insert"), [])
        self.assertEqual(len(consumer.lines("ddl")), 1, "only of the table that is wanted")
        self.assertEqual(len(consumer.lines("begin")), 2, "the table's and the subscription's creation")

    def test_subscriptions_change_the_filter_at_their_commit(self):
        self.shop.run("CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY)")
        consumer = self.attach()
        self.wait_lines(consumer, "message")
        self.shop.run("INSERT INTO other.t VALUES (1)")
        self.subscribe("more", ["other.t"])
        self.shop.run("INSERT INTO other.t VALUES (2); INSERT INTO t VALUES (1, 'x')")
        self.shop.run("SELECT fanout.drop_subscription('more')")
        self.shop.run("INSERT INTO other.t VALUES (3); INSERT INTO t VALUES (2, 'y')")
        self.wait_lines(consumer, "insert", 3)
        self.assertEqual(consumer.lines("insert"), ["insert t index=1 new(id=2)",
                                                    "insert t index=2 new(id=1 note=x)",
                                                    "insert t index=1 new(id=2 note=y)"])
        messages = consumer.lines("message prefix=pg_fanout.config")
        self.assertIn('{"op":"add","id":2,"owner":"postgres","tables":["other.t"]}', messages[1])
        self.assertIn('{"op":"drop","id":2}', messages[2])

    def test_a_forged_configuration_message_changes_nothing(self):
        self.shop.run("CREATE SCHEMA secret; CREATE TABLE secret.t (id int PRIMARY KEY); "
                      "CREATE ROLE nobody LOGIN")
        consumer = self.attach()
        self.shop.run("SELECT pg_logical_emit_message(true, 'pg_fanout.config', "
                      "'{\"op\":\"add\",\"id\":1,\"owner\":\"postgres\",\"tables\":[\"secret.*\"]}')",
                      user="nobody")
        self.shop.run("SELECT pg_logical_emit_message(true, 'pg_fanout.config', 'not json')",
                      user="nobody")
        self.shop.run("INSERT INTO secret.t VALUES (1); INSERT INTO t VALUES (1, 'x')")
        self.wait_lines(consumer, "insert")
        self.assertEqual(len(consumer.lines("message")), 1, consumer.text())
        self.assertEqual(len(consumer.lines("insert")), 1)

    def test_a_table_its_owner_may_not_read_is_denied(self):
        self.shop.run("CREATE ROLE alice LOGIN IN ROLE fanout_admin; GRANT USAGE ON SCHEMA public TO alice; "
                      "CREATE TABLE own (id int PRIMARY KEY); GRANT SELECT ON own TO alice; "
                      "CREATE TABLE rls (id int PRIMARY KEY); GRANT SELECT ON rls TO alice")
        self.shop.run("UPDATE fanout.subscription_def SET owner = 'alice' WHERE name = 'all'")
        consumer = self.attach()
        self.shop.run("INSERT INTO own VALUES (1); INSERT INTO t VALUES (1, 'hidden')")
        self.wait_lines(consumer, "insert own")
        self.wait_lines(consumer, "relation", 2)
        self.shop.run("ALTER TABLE rls ENABLE ROW LEVEL SECURITY; INSERT INTO rls VALUES (1)")
        self.shop.run("REVOKE SELECT ON own FROM alice; GRANT SELECT ON t TO alice")
        self.shop.run("INSERT INTO own VALUES (2); INSERT INTO t VALUES (2, 'shown')")
        self.wait_lines(consumer, "insert t")
        self.assertEqual(consumer.lines("insert"), ["insert own index=1 new(id=1)",
                                                    "insert t index=1 new(id=2 note=shown)"])
        denied = [line for line in consumer.lines("relation") if line.endswith("denied=1,")]
        self.assertEqual(len(denied), 3, consumer.text())  # t, rls, then own

    def test_messages_of_users_are_carried(self):
        self.shop.run("SELECT pg_logical_emit_message(true, 'app', 'inside')")
        self.shop.run("SELECT pg_logical_emit_message(false, 'app', 'outside')")
        consumer = self.read_all()
        self.assertEqual(consumer.lines("message prefix=app"),
                         ["message prefix=app size=6 content=inside",
                          "message prefix=app size=7 content=outside"])

    def test_records_larger_than_the_limit_come_in_pieces(self):
        self.shop.run("CREATE TABLE big (id int PRIMARY KEY, a text, b bytea)")
        self.shop.run("ALTER TABLE big ALTER a SET STORAGE EXTERNAL")
        self.shop.run("INSERT INTO big VALUES (1, repeat('x', 40000000), decode(repeat('ab', 300000), 'hex'))")
        self.shop.run("UPDATE big SET b = 'y'")
        self.shop.run("SELECT pg_logical_emit_message(true, 'app', repeat('m', 1000000))")
        consumer = self.read_all()
        assembled = [int(line.split()[1]) for line in consumer.lines("assembled")]
        self.assertEqual(len(assembled), 2)
        self.assertGreater(assembled[0], 40300000)
        self.assertEqual(consumer.lines("insert"),
                         ["insert big index=1 new(id=1 a=<40000000 bytes> b=<300000 bytes>)"])
        self.assertEqual(consumer.lines("update"), ["update big index=1 new(id=1 a=unchanged b=y)"])
        self.assertEqual(len(consumer.lines("message prefix=app size=1000000")), 1)

    def test_toast_comes_whole_and_unchanged_is_said(self):
        self.shop.run("INSERT INTO t VALUES (1, (SELECT string_agg(md5(g::text), '') "
                      "FROM generate_series(1, 1000) g))")
        self.shop.run("UPDATE t SET id = 2")
        consumer = self.read_all()
        self.assertEqual(consumer.lines("insert"), ["insert t index=1 new(id=1 note=<32000 bytes>)"])
        self.assertEqual(consumer.lines("update"), ["update t index=1 key(id=1) new(id=2 note=unchanged)"])

    def test_keepalives_advance_the_slot_while_only_others_write(self):
        self.shop.run("CREATE SCHEMA other; CREATE TABLE other.t (id int, filler text)")
        consumer = self.attach()
        before = self.slot()["confirmed_flush_lsn"]
        self.shop.run("INSERT INTO other.t SELECT g, repeat('x', 500) FROM generate_series(1, 60000) g")
        end = self.shop.value("SELECT pg_current_wal_lsn()")
        wait_until("the slot follows", lambda: self.shop.value(
            "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots", (end,)))
        self.assertNotEqual(before, end)
        self.assertLess(len(consumer.lines("keepalive")), 40, "not one for each of its reasons")

    def test_a_wait_is_answered_at_once(self):
        consumer = self.attach()
        self.wait_lines(consumer, "keepalive")
        took = []
        for number in range(5):  # the best of them: a machine may have something else to do
            begun = time.monotonic()
            lsn = self.shop.value("SELECT fanout.request_report() - '0/0'")
            answers = wait_until("the answer", lambda: [
                line for line in consumer.lines("keepalive lsn") if line.endswith("report=1")][number:])
            took.append(time.monotonic() - begun)
            self.assertGreaterEqual(int(answers[0].split()[1].split("=")[1]), lsn, answers)
        self.assertLess(min(took), 1)

    def test_a_sleeping_consumer_is_woken_for_the_last_of_any_number_of_transactions(self):
        consumer = self.attach("--seconds", 120, "--patient")
        self.wait_lines(consumer, "keepalive")
        done = 0
        for count in (1, 1, 2, 1, 3, 50, 1, 400, 1):
            for _ in range(count):
                done += 1
                self.shop.run("INSERT INTO t VALUES (%s, 'x')", (done,))
            wait_until(f"{done} rows", lambda: f"new(id={done} note=x)" in consumer.text())

    def test_a_busy_source_is_served_in_naps_and_then_slept_beside(self):
        consumer = self.attach("--seconds", 120, "--patient", "--quiet")
        pid = self.attached["worker_pid"]
        self.wait_lines(consumer, "welcome")
        begun, switches = time.monotonic(), self.voluntary_switches(pid)
        self.shop.run("DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO t VALUES (i, 'x'); COMMIT; "
                      "PERFORM count(*) FROM generate_series(1, 1000); END LOOP; END $$")
        # Slower than that is no busy source; without naps the worker sleeps behind each commit.
        if 3000 / (time.monotonic() - begun) > 1000:
            self.assertLess(self.voluntary_switches(pid) - switches, 3000 * 0.7)
        time.sleep(1.5)
        before = self.cpu(pid)
        time.sleep(2)
        self.assertLessEqual(self.cpu(pid) - before, 5, "clock ticks in 2 s")

    @staticmethod
    def voluntary_switches(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return int(dict(line.split(":", 1) for line in file)["voluntary_ctxt_switches"])

    def test_idle_is_silent_and_free(self):
        consumer = self.attach()
        self.wait_lines(consumer, "keepalive")
        time.sleep(1.5)
        pid = self.attached["worker_pid"]
        before, records = self.cpu(pid), len(consumer.text())
        time.sleep(3)
        self.assertLessEqual(self.cpu(pid) - before, 5, "clock ticks in 3 s")
        self.assertEqual(len(consumer.text()), records)

    @staticmethod
    def cpu(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])


main()
