-- Logical messages: transactional, not transactional, rolled back, and not text.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_message', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_message', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE msg (id int PRIMARY KEY);
BEGIN;
INSERT INTO msg VALUES (1);
SELECT 'sent' FROM pg_logical_emit_message(true, 'app', 'in the transaction');
INSERT INTO msg VALUES (2);
COMMIT;
SELECT 'sent' FROM pg_logical_emit_message(false, 'app', 'outside');
BEGIN;
SELECT 'sent' FROM pg_logical_emit_message(true, 'app', 'never seen');
SELECT 'sent' FROM pg_logical_emit_message(false, 'app', 'seen all the same');
ROLLBACK;
SELECT 'sent' FROM pg_logical_emit_message(true, 'bytes', '\x00ff10'::bytea);
SELECT 'sent' FROM pg_logical_emit_message(true, 'empty', '');
SELECT * FROM pg_temp.changes();
DROP TABLE msg;
SELECT pg_drop_replication_slot('regress_message');
