-- attach(): what it refuses. Attaching for real needs a fanoutd; the end-to-end tests do that.
\set SHOW_CONTEXT never
SELECT fanout.attach('main', NULL, 'here:1');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.start_stream();
SELECT fanout.attach(NULL, NULL, 'here:1');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.attach('main', NULL, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.attach('Main', NULL, 'here:1');
-- A journal ahead of this server, and a slot ahead of the journal. LSNs differ from run to run.
DO $$
DECLARE message text; detail text; hint text;
BEGIN
    PERFORM fanout.attach('main', 'FFFFFFFF/FFFFFFFF', 'here:1');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE E'%\n%\n%', regexp_replace(message, '0/[0-9A-F]+', '<lsn>', 'g'), detail, hint;
END $$;
DO $$
DECLARE message text; detail text; hint text;
BEGIN
    PERFORM fanout.attach('main', '0/1', 'here:1');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE E'%\n%\n%', regexp_replace(message, '0/[0-9A-F]{2,}', '<lsn>', 'g'), detail, hint;
END $$;
SELECT fanout.stop_stream();
SELECT fanout.attach('main', NULL, 'here:1');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.start_stream();
SELECT pg_drop_replication_slot('fanout_main');
SELECT fanout.attach('main', NULL, 'here:1');
\echo :LAST_ERROR_SQLSTATE
-- No attachment, no epoch.
SELECT name, epoch FROM fanout.streams;
