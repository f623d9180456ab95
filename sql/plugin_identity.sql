-- Replica identity: default with and without a primary key, full, index, nothing.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_identity', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_identity', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE idn (id int PRIMARY KEY, u int NOT NULL UNIQUE, t text);
CREATE TABLE nokey (a int, b text);
INSERT INTO idn VALUES (1, 100, 'x'), (2, 200, 'y');
INSERT INTO nokey VALUES (1, 'x'), (1, 'x');
SELECT count(*) FROM pg_temp.changes();
-- default
UPDATE idn SET t = 'default' WHERE id = 1;
UPDATE idn SET id = 5 WHERE id = 1;
-- full
ALTER TABLE idn REPLICA IDENTITY FULL;
UPDATE idn SET t = 'full' WHERE id = 5;
DELETE FROM idn WHERE id = 5;
-- index
ALTER TABLE idn REPLICA IDENTITY USING INDEX idn_u_key;
UPDATE idn SET t = 'index', id = 7 WHERE id = 2;
UPDATE idn SET u = 201 WHERE id = 7;
DELETE FROM idn WHERE id = 7;
-- nothing
INSERT INTO idn VALUES (3, 300, 'z');
ALTER TABLE idn REPLICA IDENTITY NOTHING;
UPDATE idn SET t = 'nothing' WHERE id = 3;
DELETE FROM idn WHERE id = 3;
-- no key at all
UPDATE nokey SET b = 'y';
DELETE FROM nokey;
ALTER TABLE nokey REPLICA IDENTITY FULL;
INSERT INTO nokey VALUES (2, NULL);
UPDATE nokey SET b = 'z';
DELETE FROM nokey;
SELECT * FROM pg_temp.changes();
DROP TABLE idn, nokey;
SELECT pg_drop_replication_slot('regress_identity');
