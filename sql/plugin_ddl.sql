-- Each row is shown in the shape of its moment.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_ddl', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS TABLE (op text, name text, key jsonb, after jsonb) LANGUAGE sql AS $$
    SELECT j ->> 'op', format('%s.%s', j ->> 'schema', j ->> 'table'), nullif(j -> 'key', 'null'), nullif(j -> 'after', 'null')
    FROM pg_logical_slot_get_changes('regress_ddl', NULL, NULL) AS c, jsonb(c.data) AS j $$;
CREATE TABLE d (id int PRIMARY KEY, a text, b int);
BEGIN;
INSERT INTO d VALUES (1, 'x', 1);
ALTER TABLE d DROP COLUMN a;
INSERT INTO d VALUES (2, 2);
ALTER TABLE d ADD COLUMN c text DEFAULT 'fast';
UPDATE d SET b = 20 WHERE id = 1;
ALTER TABLE d RENAME COLUMN b TO renamed;
INSERT INTO d VALUES (3, 3, 'z');
ALTER TABLE d RENAME TO e;
UPDATE e SET c = 'y' WHERE id = 3;
CREATE SCHEMA elsewhere;
ALTER TABLE e SET SCHEMA elsewhere;
DELETE FROM elsewhere.e WHERE id = 3;
COMMIT;
SELECT * FROM pg_temp.changes();
-- a rewrite sends the new shape, not the rows
ALTER TABLE elsewhere.e ALTER COLUMN renamed TYPE bigint USING renamed * 1000;
ALTER TABLE elsewhere.e ADD COLUMN stamp float8 DEFAULT random();
UPDATE elsewhere.e SET stamp = 0 WHERE id = 1;
VACUUM FULL elsewhere.e;
SELECT * FROM pg_temp.changes();
-- the same name, dropped and made again; names that swap; what was rolled back
BEGIN;
CREATE TABLE twice (id int PRIMARY KEY);
INSERT INTO twice VALUES (1);
DROP TABLE twice;
CREATE TABLE twice (other text PRIMARY KEY);
INSERT INTO twice VALUES ('new');
SAVEPOINT s;
ALTER TABLE twice ADD COLUMN never int;
INSERT INTO twice VALUES ('never', 1);
ROLLBACK TO s;
INSERT INTO twice VALUES ('after');
ALTER TABLE elsewhere.e SET SCHEMA public;
ALTER TABLE twice RENAME TO swap;
ALTER TABLE e RENAME TO twice;
ALTER TABLE swap RENAME TO e;
INSERT INTO e VALUES ('swapped');
COMMIT;
SELECT * FROM pg_temp.changes();
-- the key changes its columns
ALTER TABLE twice ADD COLUMN k int NOT NULL GENERATED ALWAYS AS IDENTITY;
ALTER TABLE twice DROP CONSTRAINT d_pkey, ADD PRIMARY KEY (k);
DELETE FROM twice WHERE id = 1;
ALTER TABLE twice DROP COLUMN k;
UPDATE twice SET renamed = 1;
SELECT op, key FROM pg_temp.changes();
-- no columns at all, and as many as there can be
CREATE TABLE none ();
INSERT INTO none DEFAULT VALUES;
DO $$ BEGIN
    EXECUTE (SELECT format('CREATE TABLE widest (%s, PRIMARY KEY (c1))', string_agg(format('c%s int', i), ', ' ORDER BY i)) FROM generate_series(1, 1600) i);
    EXECUTE (SELECT format('INSERT INTO widest VALUES (%s)', string_agg(i::text, ', ' ORDER BY i)) FROM generate_series(1, 1600) i);
END $$;
SELECT op, name, key, (SELECT format('%s columns, sum %s', count(*), sum(value::int)) FROM jsonb_each_text(after)) AS after FROM pg_temp.changes();
DROP TABLE e, twice, none, widest;
DROP SCHEMA elsewhere;
SELECT pg_drop_replication_slot('regress_ddl');
