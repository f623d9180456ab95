-- Savepoints: what is rolled back never appears, the rest keeps its order and its ordinals.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_subtransactions', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_subtransactions', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE sub (id int PRIMARY KEY, t text);
BEGIN;
INSERT INTO sub VALUES (1, 'top');
SAVEPOINT a;
INSERT INTO sub VALUES (2, 'rolled back');
SAVEPOINT b;
INSERT INTO sub VALUES (3, 'rolled back with it');
ROLLBACK TO a;
INSERT INTO sub VALUES (4, 'kept');
SAVEPOINT c;
UPDATE sub SET t = 'kept too' WHERE id = 4;
RELEASE c;
COMMIT;
BEGIN;
SAVEPOINT lone;
INSERT INTO sub VALUES (5, 'nothing stays');
ROLLBACK TO lone;
COMMIT;
DO $$
BEGIN
    FOR i IN 10..15 LOOP
        BEGIN
            INSERT INTO sub VALUES (i, 'loop');
            IF i % 2 = 0 THEN RAISE 'odd only'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
SELECT * FROM pg_temp.changes();
DROP TABLE sub;
SELECT pg_drop_replication_slot('regress_subtransactions');
