-- TRUNCATE: one table, several, cascade, restart identity, and rolled back.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_truncate', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_truncate', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE tr_a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE tr_b (id int PRIMARY KEY, a int REFERENCES tr_a);
TRUNCATE tr_b;
TRUNCATE tr_a, tr_b RESTART IDENTITY;
TRUNCATE tr_a CASCADE;
BEGIN; TRUNCATE tr_b; ROLLBACK;
BEGIN; INSERT INTO tr_a DEFAULT VALUES; TRUNCATE tr_b; INSERT INTO tr_a DEFAULT VALUES; COMMIT;
SELECT * FROM pg_temp.changes();
DROP TABLE tr_a, tr_b;
SELECT pg_drop_replication_slot('regress_truncate');
