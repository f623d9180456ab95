-- Updates: plain, of the key, no change at all, dropped and added columns.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_update', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_update', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE upd (id int PRIMARY KEY, a text, gone int, b int);
INSERT INTO upd VALUES (1, 'a', 1, 10), (2, 'b', 2, 20);
SELECT count(*) FROM pg_temp.changes();
UPDATE upd SET a = 'changed' WHERE id = 1;
UPDATE upd SET id = 3 WHERE id = 2;
UPDATE upd SET b = b;
ALTER TABLE upd DROP COLUMN gone;
UPDATE upd SET b = b + 1 WHERE id = 1;
ALTER TABLE upd ADD COLUMN c text DEFAULT 'fast default';
UPDATE upd SET b = b + 1 WHERE id = 1;
UPDATE upd SET b = 0 WHERE id = 99;
SELECT * FROM pg_temp.changes();
DROP TABLE upd;
SELECT pg_drop_replication_slot('regress_update');
