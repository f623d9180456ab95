-- What is not committed does not exist.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_rollback', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_rollback', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE rol (id int PRIMARY KEY);
BEGIN; INSERT INTO rol VALUES (1); ROLLBACK;
INSERT INTO rol VALUES (2), (2);
BEGIN; INSERT INTO rol VALUES (3); SELECT 1/0; COMMIT;
CREATE TEMP TABLE rol_temp (id int);
INSERT INTO rol_temp VALUES (1);
CREATE UNLOGGED TABLE rol_unlogged (id int);
INSERT INTO rol_unlogged VALUES (1);
INSERT INTO rol VALUES (4);
SELECT * FROM pg_temp.changes();
DROP TABLE rol, rol_temp, rol_unlogged;
SELECT pg_drop_replication_slot('regress_rollback');
