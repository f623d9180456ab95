-- start_stream, stop_stream, and the view streams.
\set SHOW_CONTEXT never
SELECT fanout.start_stream();
SELECT fanout.start_stream('main');
SELECT name, state, slot, worker_pid, restart_lsn IS NOT NULL AS restart, confirmed_lsn IS NOT NULL AS confirmed,
    retained_wal_bytes >= 0 AS retained, journal_bytes, error, daemon, epoch, generation FROM fanout.streams;
SELECT slot_name, plugin = 'pg_fanout' AS ours, temporary, active FROM pg_replication_slots;
-- Names.
SELECT fanout.stop_stream('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.stop_stream('main', NULL);
SELECT fanout.start_stream('Main');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.start_stream('');
SELECT fanout.start_stream(NULL);
SELECT fanout.start_stream(repeat('x', 41));
-- After a write it is too late for a slot.
CREATE TABLE t (id integer PRIMARY KEY);
BEGIN;
INSERT INTO t VALUES (1);
SELECT fanout.start_stream('late');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT name FROM fanout.streams;
SELECT slot_name FROM pg_replication_slots;
-- Starting a stream that is there writes nothing new, so it is fine in any transaction.
BEGIN;
INSERT INTO t VALUES (1);
SELECT fanout.start_stream();
COMMIT;
-- A slot goes with the transaction that made it, or with its part that is rolled back; an error counts.
BEGIN;
SELECT fanout.start_stream('undone');
ROLLBACK;
SELECT count(*) FROM fanout.streams WHERE name = 'undone';
SELECT slot_name FROM pg_replication_slots;
BEGIN;
SELECT fanout.start_stream('undone');
SELECT 1 / 0;
COMMIT;
BEGIN;
SAVEPOINT a;
SELECT fanout.start_stream('undone');
ROLLBACK TO a;
COMMIT;
SELECT slot_name FROM pg_replication_slots;
BEGIN;
SAVEPOINT a;
SELECT fanout.start_stream('kept');
RELEASE a;
COMMIT;
SELECT slot_name FROM pg_replication_slots ORDER BY 1;
SELECT fanout.stop_stream('kept', true);
DELETE FROM fanout.stream_def WHERE name = 'kept';
SELECT fanout.start_stream('undone');
SELECT fanout.stop_stream('undone', true);
-- One that has no stream is named, and replaced by the next start.
SELECT fanout.create_slot('fanout_left') IS NOT NULL AS made;
SELECT item, state, remedy FROM fanout.check() WHERE item = 'slot fanout_left';
SELECT fanout.start_stream('left');
SELECT fanout.stop_stream('left', true);
DELETE FROM fanout.stream_def WHERE name = 'left';
-- Somebody else's slot of that name is left alone.
SELECT 'made' AS slot FROM pg_create_logical_replication_slot('fanout_mine', 'test_decoding');
SELECT fanout.start_stream('mine');
SELECT replace(slot, (SELECT oid::text FROM pg_database WHERE datname = current_database()), '<oid>') AS slot
    FROM fanout.streams WHERE name = 'mine';
-- Two streams never share a slot.
SELECT 'mine_' || oid AS clash FROM pg_database WHERE datname = current_database() \gset
\set VERBOSITY sqlstate
SELECT fanout.start_stream(:'clash') IS NOT NULL AS made;
\set VERBOSITY default
SELECT count(DISTINCT slot) = count(*) AS separate FROM fanout.streams;
SELECT fanout.stop_stream('mine', true);
SELECT fanout.stop_stream(:'clash', true);
SELECT pg_drop_replication_slot('fanout_mine');
-- Stopping and starting again: the same slot.
SELECT fanout.stop_stream();
SELECT name, state, generation FROM fanout.streams WHERE name = 'main';
SELECT fanout.stop_stream();
SELECT fanout.start_stream();
SELECT name, state, generation FROM fanout.streams WHERE name = 'main';
-- A slot that is gone is noticed; subscriptions have a gap, and say so.
SELECT identity AS before FROM fanout.stream_def WHERE name = 'main' \gset
SELECT fanout.create_target('hole', 'blackhole', '{}');
SELECT fanout.create_subscription('s', 'hole', '{public.t}');
SELECT pg_drop_replication_slot('fanout_main');
SELECT name, state, slot FROM fanout.streams WHERE name = 'main';
SELECT name, state FROM fanout.subscriptions;
SELECT fanout.create_subscription('s2', 'hole', '{public.t}');
\echo :LAST_ERROR_SQLSTATE
SELECT item, state, detail, remedy FROM fanout.check() WHERE item IN ('stream main', 'subscription s');
SELECT fanout.start_stream();
SELECT name, state, generation FROM fanout.streams WHERE name = 'main';
SELECT identity <> :'before' AS new_identity FROM fanout.stream_def WHERE name = 'main';
SELECT name, state FROM fanout.subscriptions;
SELECT fanout.drop_subscription('s');
SELECT fanout.create_subscription('s', 'hole', '{public.t}');
SELECT name, state FROM fanout.subscriptions;
-- On purpose.
SELECT fanout.stop_stream(drop_slot => true);
SELECT name, state FROM fanout.streams WHERE name = 'main';
SELECT name, state FROM fanout.subscriptions;
SELECT fanout.stop_stream(drop_slot => true);
SELECT slot_name FROM pg_replication_slots;
