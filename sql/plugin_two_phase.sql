-- A prepared transaction appears once, when it commits; one that is rolled back never.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_two_phase', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_two_phase', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false', 'include_transactions', 'true') $$;
CREATE TABLE prepared (id int PRIMARY KEY, v text);
BEGIN;
INSERT INTO prepared VALUES (1, 'a');
SAVEPOINT s;
INSERT INTO prepared VALUES (2, 'never');
ROLLBACK TO s;
UPDATE prepared SET v = 'b';
PREPARE TRANSACTION 'one';
BEGIN;
INSERT INTO prepared VALUES (3, 'never');
PREPARE TRANSACTION 'two';
INSERT INTO prepared VALUES (4, 'before');
SELECT * FROM pg_temp.changes();
COMMIT PREPARED 'one';
ROLLBACK PREPARED 'two';
SELECT * FROM pg_temp.changes();
-- a schema change inside one
BEGIN;
ALTER TABLE prepared ADD COLUMN w int DEFAULT 7;
INSERT INTO prepared VALUES (5, 'c');
PREPARE TRANSACTION 'three';
COMMIT PREPARED 'three';
SELECT * FROM pg_temp.changes();
DROP TABLE prepared;
SELECT pg_drop_replication_slot('regress_two_phase');
