-- wait_for without a daemon: its arguments, and everything that makes waiting pointless.
\set SHOW_CONTEXT never
CREATE TABLE orders (id integer PRIMARY KEY);
SELECT fanout.create_target('hole', 'blackhole', '{}');
SELECT fanout.create_subscription('s', 'hole', '{public.orders}', '{"backfill": false}');
SELECT id FROM fanout.subscription_def \gset
SELECT fanout.wait_for('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.wait_for(NULL);
SELECT fanout.wait_for('s', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.wait_for('s', timeout => NULL);
SELECT fanout.wait_for('s', timeout => '-1 s');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT fanout.wait_for('s', 'FFFFFFFF/FFFFFFFF');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
INSERT INTO orders VALUES (1);
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
-- Nobody is there.
SELECT fanout.wait_for('s', timeout => '0');
SELECT fanout.wait_for('s', timeout => '50 ms');
-- A daemon is there, but not that far.
SET application_name = 'fanoutd';
SELECT fanout.wait_for('s', timeout => '50 ms');
-- Far enough.
SELECT pg_current_wal_insert_lsn() AS lsn \gset
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(
    jsonb_build_object('id', :id, 'state', 'streaming', 'cursor_lsn', '0/1', 'cursor_end_lsn', :'lsn'))));
SELECT fanout.wait_for('s', :'lsn');
SELECT fanout.wait_for('s', '0/1');
SELECT fanout.wait_for('s', timeout => '50 ms');
-- Far enough is far enough, whatever has happened since.
SELECT fanout.pause_subscription('s');
SELECT fanout.wait_for('s', :'lsn');
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.resume_subscription('s');
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'failed',
    'last_error', 'connection refused', 'last_error_hint', 'start the target'))));
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'needs_resync',
    'last_error', NULL, 'last_error_hint', NULL))));
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'streaming'))));
SELECT fanout.stop_stream();
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.start_stream();
-- Not even one for ten seconds.
RESET application_name;
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
-- What it asks with: a message that is in the WAL at once.
SELECT fanout.request_report() <= pg_current_wal_flush_lsn() AS flushed;
-- An LSN behind a page header means the page's start; every other one itself.
SELECT lsn, fanout.normalize_lsn(lsn) FROM (VALUES ('0/3000028'::pg_lsn), ('0/3002018'), ('0/3002000'), ('0/3002020'), (NULL)) AS v (lsn);
SELECT fanout.drop_subscription('s');
SELECT fanout.stop_stream(drop_slot => true);
