-- Schema changes as the plugin shows them: at their place, with what was before and what is after.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_ddl_events', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS TABLE (op text, name text, change text, before jsonb, after jsonb) LANGUAGE sql AS $$
    SELECT coalesce(j ->> 'kind', j ->> 'op'), format('%s.%s', j ->> 'schema', j ->> 'table'),
        coalesce(nullif(concat_ws('.', nullif(j ->> 'new_schema', j ->> 'schema'), nullif(j ->> 'new_table', j ->> 'table')), '') || ' ', '')
            || coalesce(j ->> 'column', '') || coalesce(' > ' || (j ->> 'new_column'), ''), nullif(j -> 'before', 'null'), nullif(j -> 'after', 'null')
    FROM pg_logical_slot_get_changes('regress_ddl_events', NULL, NULL) AS c, jsonb(c.data) AS j WHERE j ->> 'op' NOT IN ('begin', 'commit') $$;
-- nothing is recorded where there is no stream
CREATE TABLE quiet (id int PRIMARY KEY);
DROP TABLE quiet;
SELECT count(*) FROM pg_temp.changes();
SELECT fanout.start_stream();
CREATE TABLE d (id int PRIMARY KEY, a varchar(5) NOT NULL DEFAULT 'd');
SELECT * FROM pg_temp.changes();
BEGIN;
INSERT INTO d VALUES (1, 'x');
ALTER TABLE d ADD b int DEFAULT 7, ADD c date, DROP COLUMN a;
UPDATE d SET c = '2020-02-02';
INSERT INTO d VALUES (2, 2, '2020-01-01');
ALTER TABLE d RENAME COLUMN b TO renamed;
ALTER TABLE d RENAME TO e;
SAVEPOINT s;
ALTER TABLE e ADD never int;
ROLLBACK TO s;
ALTER TABLE e ALTER renamed TYPE bigint, ALTER c SET NOT NULL, ALTER c SET DEFAULT now();
CREATE SCHEMA elsewhere;
ALTER TABLE e SET SCHEMA elsewhere;
INSERT INTO elsewhere.e VALUES (3, 3, '2020-01-01');
COMMIT;
SELECT op, name, change, before, after - 'commit_time' AS after FROM pg_temp.changes();
-- keys, indexes, comments, identity
ALTER TABLE elsewhere.e DROP CONSTRAINT d_pkey, ADD PRIMARY KEY (id, renamed);
CREATE INDEX later ON elsewhere.e (c);
COMMENT ON TABLE elsewhere.e IS 'a table';
COMMENT ON COLUMN elsewhere.e.c IS 'a column';
COMMENT ON COLUMN elsewhere.e.c IS NULL;
DROP INDEX elsewhere.later;
ALTER TABLE elsewhere.e REPLICA IDENTITY FULL;
ALTER TABLE elsewhere.e ALTER c DROP DEFAULT, ALTER c DROP NOT NULL;
ALTER SCHEMA elsewhere RENAME TO somewhere;
SELECT * FROM pg_temp.changes();
-- what nobody's rows are changed by
ALTER TABLE somewhere.e SET (fillfactor = 50);
VACUUM FULL somewhere.e;
ALTER TABLE somewhere.e ADD CHECK (id > 0);
CREATE TEMP TABLE passing (id int);
ALTER TABLE passing ADD x int;
CREATE VIEW v AS SELECT * FROM somewhere.e;
DROP VIEW v;
SELECT * FROM pg_temp.changes();
-- partitions and children, which the statement does not name
CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10);
CREATE TABLE p2 (id int PRIMARY KEY);
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
ALTER TABLE p ADD v text DEFAULT 'v';
ALTER TABLE p RENAME v TO w;
ALTER TABLE p DETACH PARTITION p2;
ALTER TABLE p DROP COLUMN w;
DROP TABLE p;
SELECT op, name, change FROM pg_temp.changes();
-- by a detour: a type that goes with its columns, a schema that goes with its tables
CREATE TYPE mood AS ENUM ('fine');
CREATE TABLE has_mood (id int PRIMARY KEY, m mood);
DROP TYPE mood CASCADE;
CREATE TABLE copied AS SELECT 1 AS id;
DROP SCHEMA somewhere CASCADE;
ALTER TABLE copied SET UNLOGGED;
ALTER TABLE copied SET LOGGED;
DROP TABLE has_mood, copied, p2;
SELECT op, name, change FROM pg_temp.changes();
-- the text face chooses tables for schema changes, too
CREATE TABLE one (id int);
CREATE TABLE two (id int);
SELECT j ->> 'kind' AS kind, j ->> 'table' AS name, j ->> 'statement' AS statement
FROM pg_logical_slot_get_changes('regress_ddl_events', NULL, NULL, 'tables', 'public.two', 'include_transactions', 'off') AS c, jsonb(c.data) AS j;
-- nobody can forge one, and the table stays empty
CREATE ROLE regress_ddl_plain;
GRANT USAGE ON SCHEMA fanout TO regress_ddl_plain;
SET ROLE regress_ddl_plain;
INSERT INTO fanout.ddl_event (relation, kind, schema_name, table_name, statement) VALUES (1, 'drop_table', 'public', 'one', '');
RESET ROLE;
SELECT count(*) FROM fanout.ddl_event;
-- a trigger that is off is named, with the statement that mends it
ALTER EVENT TRIGGER fanout_on_ddl DISABLE;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item = 'schema changes';
ALTER EVENT TRIGGER fanout_on_ddl ENABLE ALWAYS;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item = 'schema changes';
REVOKE USAGE ON SCHEMA fanout FROM regress_ddl_plain;
DROP ROLE regress_ddl_plain;
DROP TABLE one, two;
SET client_min_messages = error;
SELECT fanout.stop_stream(drop_slot => true);
SELECT pg_drop_replication_slot('regress_ddl_events');
