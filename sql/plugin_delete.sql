-- Deletes: one row, many rows, composite key, and a row that is inserted and deleted.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_delete', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_delete', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE del (a int, b text, c int, PRIMARY KEY (b, a));
INSERT INTO del SELECT g, 'k' || g, g FROM generate_series(1, 4) g;
SELECT count(*) FROM pg_temp.changes();
DELETE FROM del WHERE a = 1;
DELETE FROM del WHERE a > 1;
BEGIN;
INSERT INTO del VALUES (9, 'short', 1);
DELETE FROM del WHERE a = 9;
COMMIT;
SELECT * FROM pg_temp.changes();
DROP TABLE del;
SELECT pg_drop_replication_slot('regress_delete');
