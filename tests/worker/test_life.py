"""Starting and ending: who may, what is said when it cannot, what a restart repeats."""
from fanout_test.case import main
from fanout_test.processes import wait_until
from worker_case import SLOT, WorkerCase

STATEMENT = "ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding, pg_fanout"


class Life(WorkerCase):
    def launch(self, slot=SLOT, start=None, ring=1 << 20):
        return self.shop.run("SELECT * FROM fanout.launch_worker(%s, 1, 1, %s, %s)",
                             (slot, start, ring))

    def test_a_plugin_that_is_not_listed_is_named_with_the_statement(self):
        if not self.server.knows_plugin_list():
            self.skipTest("this server has no such list")
        self.server.set_plugins("pgoutput, test_decoding")
        self.shop.close()
        self.refused(self.launch, STATEMENT, "pg_reload_conf", sqlstate="55000")
        self.refused(lambda: self.shop.run("SELECT fanout.create_slot('another')"), STATEMENT)
        self.server.set_plugins("pgoutput, test_decoding, pg_fanout")
        self.shop.close()
        self.launch()
        self.shop.run("SELECT fanout.stop_worker(%s)", (SLOT,))

    def test_bad_requests_are_refused_with_a_reason(self):
        self.refused(lambda: self.launch(slot="nowhere"), "does not exist", sqlstate="42704")
        self.shop.run("SELECT pg_create_logical_replication_slot('other', 'test_decoding')")
        self.refused(lambda: self.launch(slot="other"), "not one of pg_fanout", sqlstate="42809")
        self.refused(lambda: self.launch(ring=3000000), "power of two", sqlstate="22023")
        self.refused(lambda: self.launch(start="FF/0"), "source_rewound:", "FF/0", sqlstate="55000")
        self.refused(lambda: self.launch(start="0/1"), "slot_ahead:", "0/1", sqlstate="55000")
        self.assertTrue(self.server.process.running())
        self.wait_free()

    def test_a_slot_in_use_is_named(self):
        self.attach("--no-ack", "--seconds", 120)
        self.refused(self.launch, "is active for PID", sqlstate="55006")
        self.assertTrue(self.shop.value("SELECT fanout.stop_worker(%s)", (SLOT,)))
        self.assertFalse(self.shop.value("SELECT fanout.stop_worker(%s)", (SLOT,)))

    def test_a_worker_to_which_nobody_came_makes_way(self):
        """fanoutd was killed between attach() and its connection; the next one must not starve."""
        self.launch()
        self.launch()

    def test_nobody_comes_and_the_worker_leaves(self):
        self.set_setting("fanout.attach_timeout", "'1s'")
        self.launch()
        self.wait_free()
        self.assertTrue(self.log_has("no fanoutd connected within 1 s"))

    def test_no_free_worker_is_named(self):
        self.shop.close()
        self.server.set_and_reload(max_worker_processes=0)
        self.server.restart()
        self.refused(self.launch, "no free background worker", "max_worker_processes",
                     sqlstate="53400")

    def test_wal_level_is_named(self):
        self.shop.run("SELECT pg_drop_replication_slot(%s)", (SLOT,))
        self.shop.close()
        self.server.set_and_reload(wal_level="replica")
        self.server.restart()
        self.refused(lambda: self.shop.run("SELECT fanout.create_slot('another')"),
                     "wal_level = logical", "restart", sqlstate="55000")

    def test_immediate_restart_loses_nothing(self):
        consumer = self.attach("--no-ack", "--seconds", 120)
        for i in range(20):
            self.shop.run("INSERT INTO t SELECT %s * 1000 + g, 'x' FROM generate_series(1, 100) g", (i,))
        self.wait_lines(consumer, "commit", 21)
        self.shop.close()
        self.server.restart("immediate")
        again = self.attach("--quiet", "--until-lsn", self.now())
        self.assertEqual(again.end(), 0, again.text())
        self.assertIn("k5=2000 ", again.text())

    def test_acknowledged_rows_do_not_come_again_after_a_clean_restart(self):
        self.shop.run("INSERT INTO t VALUES (1, 'x')")
        consumer = self.attach("--until-lsn", self.now())
        self.assertEqual(consumer.end(), 0)
        self.wait_free()
        before = self.slot()["confirmed_flush_lsn"]
        self.shop.close()
        self.server.restart("fast")
        self.assertEqual(self.slot()["confirmed_flush_lsn"], before)
        self.shop.run("INSERT INTO t VALUES (2, 'x')")
        consumer = self.attach("--until-lsn", self.now())
        self.assertEqual(consumer.end(), 0)
        self.assertEqual(consumer.lines("insert"), ["insert t index=1 new(id=2 note=x)"])

    def test_a_durable_position_beyond_the_slots_is_where_it_starts(self):
        self.shop.run("INSERT INTO t VALUES (1, 'x')")
        start = self.shop.value("SELECT pg_current_wal_lsn()")
        self.shop.run("INSERT INTO t VALUES (2, 'x')")
        consumer = self.attach("--until-lsn", self.now(), start=start)
        self.assertEqual(consumer.end(), 0)
        self.assertEqual(consumer.lines("insert"), ["insert t index=1 new(id=2 note=x)"])

    def test_drop_extension_ends_the_worker_and_names_the_slot(self):
        consumer = self.attach()
        self.wait_lines(consumer, "welcome")
        self.shop.run("CREATE ROLE nobody LOGIN")
        self.refused(lambda: self.shop.run("DROP EXTENSION pg_fanout CASCADE", user="nobody"),
                     "must be owner")
        self.assertTrue(self.slot()["active"])
        connection = self.shop.connect()
        with connection.cursor() as cursor:
            cursor.execute("DROP EXTENSION pg_fanout CASCADE")
        notices = "".join(connection.notices)
        connection.close()
        self.assertIn("SELECT pg_drop_replication_slot('fanout_main')", notices)
        self.wait_free()
        self.assertEqual(consumer.end(), 3)

    def test_without_walsenders_it_polls(self):
        self.shop.close()
        self.server.set_and_reload(max_wal_senders=0)
        self.server.restart()
        consumer = self.attach()
        self.shop.run("INSERT INTO t VALUES (1, 'x')")
        wait_until("the row", lambda: consumer.lines("insert"))

    def test_drop_slot_wants_one_of_ours(self):
        self.shop.run("SELECT pg_create_logical_replication_slot('other', 'test_decoding')")
        self.refused(lambda: self.shop.run("SELECT fanout.drop_slot('other')"), "not one of pg_fanout")
        self.launch()
        self.shop.run("SELECT fanout.drop_slot(%s)", (SLOT,))
        self.assertIsNone(self.slot())


main()
