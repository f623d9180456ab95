"""Consumers that lie, stop, vanish or do not belong: the connection ends, the server does not notice."""
import signal
import time

from fanout_test.case import main
from fanout_test.processes import wait_until
from worker_case import SLOT, Consumer, WorkerCase


class Consumers(WorkerCase):
    def some_rows(self):
        self.shop.run("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 10) g")

    def still_works(self):
        """The server is up and the next attachment gets the rows."""
        self.wait_free()
        self.assertTrue(self.server.process.running())
        self.assertFalse(self.log_has("terminating any other active server processes"))
        consumer = self.attach("--until-lsn", self.now())
        self.assertEqual(consumer.end(), 0, consumer.text())
        self.assertEqual(len(consumer.lines("insert")), 10)

    def test_wrong_token_is_refused_and_the_worker_waits_on(self):
        self.some_rows()
        stranger = self.attach(token="0" * 32)
        self.assertEqual(stranger.end(), 2)
        self.assertIn("refused status=3", stranger.text())
        owner = Consumer(self.folder, self.attached["socket_path"], self.attached["token"],
                         "--until-lsn", self.now())
        self.consumers.append(owner)
        self.assertEqual(owner.end(), 0, owner.text())
        self.assertEqual(len(owner.lines("insert")), 10)

    def test_wrong_version_is_refused_by_name(self):
        consumer = self.attach("--version", 99)
        self.assertEqual(consumer.end(), 2)
        self.assertIn("refused status=2", consumer.text())
        self.assertIn("install the same release of both", consumer.text())
        self.shop.run("SELECT fanout.stop_worker(%s)", (SLOT,))

    def test_a_user_that_is_not_listed_is_refused(self):
        self.set_setting("fanout.allowed_users", "daemon")
        consumer = self.attach()
        self.assertEqual(consumer.end(), 2)
        self.assertIn("refused status=4", consumer.text())
        self.assertIn("fanout.allowed_users", consumer.text())
        self.shop.run("SELECT fanout.stop_worker(%s)", (SLOT,))

    def test_lies_end_the_connection_only(self):
        self.some_rows()
        for lie, word in (("tail", "impossible position"), ("tail-odd", "impossible position"),
                          ("ack", "which it cannot have")):
            with self.subTest(lie=lie):
                consumer = self.attach("--lie", lie)
                # The tail is looked at when there is no room by the last one known.
                if lie != "ack":
                    self.shop.run("BEGIN; INSERT INTO t SELECT g, repeat(md5(g::text), 40) "
                                  "FROM generate_series(100, 30000) g; ROLLBACK")
                    self.shop.run("SELECT pg_logical_emit_message(true, 'app', repeat('x', 20000000))")
                self.assertEqual(consumer.end(), 3, consumer.text())
                self.assertIn("farewell 08P01", consumer.text())
                self.assertIn(word, consumer.text())
        self.still_works()

    def test_only_what_was_acknowledged_is_confirmed(self):
        for number in range(1, 11):
            self.shop.run("INSERT INTO t VALUES (%s, 'x')", (number,))
        consumer = self.attach("--hold", 15, "--seconds", 60)  # reads and acknowledges so much
        self.wait_lines(consumer, "insert", 2)
        time.sleep(2.5)  # an acknowledgement is looked at within a second
        consumer.kill()
        self.wait_free()
        read = consumer.lines("insert")
        self.assertLess(len(read), 10)
        consumer = self.attach("--until-lsn", self.now())
        self.assertEqual(consumer.end(), 0, consumer.text())
        rest = consumer.lines("insert")
        for number in range(len(read) + 1, 11):
            self.assertIn(f"insert t index=1 new(id={number} note=x)", rest)

    def test_chatter_ends_the_connection(self):
        self.some_rows()
        consumer = self.attach("--chatter", "--no-ack")
        self.assertEqual(consumer.end(), 3)
        self.assertIn("farewell 08P01 fanoutd sent a packet after the handshake", consumer.text())
        self.still_works()

    def test_segments_cannot_be_resized_or_written(self):
        self.some_rows()
        consumer = self.attach("--attack", "--no-ack", "--until-lsn", self.now())
        self.assertEqual(consumer.end(), 0, consumer.text())
        self.assertNotIn("ALLOWED", consumer.text())
        self.assertEqual(consumer.text().count("refused"), 11)
        self.still_works()

    def storm(self, kind):
        """Acknowledgement words as fast as they can be written, while the worker has much to
        send; the session ends loudly. Returns how many were written."""
        consumer = self.attach("--storm", kind)
        self.shop.run("BEGIN; INSERT INTO t SELECT g, repeat(md5(g::text), 40) "
                      "FROM generate_series(100, 60000) g; ROLLBACK")
        self.shop.run("SELECT pg_logical_emit_message(true, 'app', repeat('x', 90000000))")
        self.assertEqual(consumer.end(), 3, consumer.text())
        self.assertIn("farewell 08P01", consumer.text())
        self.wait_free()
        return sum(int(line.split()[1]) for line in consumer.lines("storm"))

    def test_a_storm_of_random_acknowledgements(self):
        self.some_rows()
        written = sessions = 0
        while written < 1_000_000 or sessions < 3:
            written += self.storm("random")
            sessions += 1
        print(f"{written} values in {sessions} sessions")
        self.still_works()

    def test_an_acknowledgement_that_flips_while_it_is_read(self):
        self.some_rows()
        print(f"{self.storm('flip')} values")
        self.still_works()

    def test_killed_consumer_frees_the_slot_and_nothing_is_lost(self):
        self.some_rows()
        consumer = self.attach("--hold", 3, "--no-ack", "--seconds", 60)
        self.wait_lines(consumer, "begin")
        consumer.kill()
        self.still_works()

    def test_the_socket_file_is_gone_once_somebody_is_in(self):
        import os
        consumer = self.attach()
        self.wait_lines(consumer, "welcome")
        self.assertFalse(os.path.exists(self.attached["socket_path"]))

    def fill_the_ring(self):
        self.shop.run("SELECT 1")
        consumer = self.attach("--hold", 5, "--seconds", 300)
        self.shop.run("INSERT INTO t SELECT g, repeat(md5(g::text), 40) "
                      "FROM generate_series(1, 40000) g")  # 50 MB
        wait_until("the worker waits", lambda: self.shop.value(
            "SELECT wait_event FROM pg_stat_activity WHERE pid = %s",
            (self.attached["worker_pid"],)) == "Extension")
        time.sleep(1)
        return consumer

    def test_full_ring_then_terminate(self):
        consumer = self.fill_the_ring()
        self.shop.run("SELECT pg_terminate_backend(%s)", (self.attached["worker_pid"],))
        self.wait_free()
        consumer.process.send_signal(signal.SIGCONT)
        self.wait_lines(consumer, "farewell 57P01")

    def test_full_ring_then_cancel(self):
        consumer = self.fill_the_ring()
        self.shop.run("SELECT pg_cancel_backend(%s)", (self.attached["worker_pid"],))
        self.wait_free()
        self.wait_lines(consumer, "farewell 57014")

    def test_full_ring_then_stop_worker_and_drop_database(self):
        self.fill_the_ring()
        self.refused(lambda: self.server.run("DROP DATABASE shop WITH (FORCE)"), "active logical")
        self.assertTrue(self.shop.value("SELECT fanout.stop_worker(%s)", (SLOT,)))
        self.wait_free()
        self.shop.close()
        self.server.run("DROP DATABASE shop WITH (FORCE)")
        self.assertEqual(self.server.value("SELECT count(*) FROM pg_replication_slots"), 0)

    def full_ring_then_shutdown(self, mode):
        self.fill_the_ring()
        self.shop.close()
        self.server.stop(mode)
        self.server.start()
        consumer = self.attach("--quiet", "--until-lsn", self.now())
        self.assertEqual(consumer.end(), 0, consumer.text())
        self.assertIn("k5=40000 ", consumer.text())

    def test_full_ring_then_fast_shutdown(self):
        self.full_ring_then_shutdown("fast")

    def test_full_ring_then_smart_shutdown(self):
        self.full_ring_then_shutdown("smart")


main()
