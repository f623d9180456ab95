-- Predicates and column lists: old and new row decide together, as in publications.
\set SHOW_CONTEXT never
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_filter', 'pg_fanout');
CREATE FUNCTION pg_temp.changes(entry text) RETURNS TABLE (op text, key jsonb, before jsonb, after jsonb) LANGUAGE sql AS $$
    SELECT j ->> 'op', nullif(j -> 'key', 'null'), nullif(j -> 'before', 'null'), nullif(j -> 'after', 'null')
    FROM pg_logical_slot_peek_changes('regress_filter', NULL, NULL, 'tables', entry) AS c, jsonb(c.data) AS j $$;
-- by the key: an update that leaves the key alone has no old row
CREATE TABLE by_key (id int PRIMARY KEY, v text, secret text);
INSERT INTO by_key SELECT g, 'v' || g, 's' FROM generate_series(1, 4) g;
UPDATE by_key SET v = 'x' WHERE id IN (1, 4);
UPDATE by_key SET id = 12 WHERE id = 2;  -- out
UPDATE by_key SET id = 1 + id WHERE id = 1 AND false;
UPDATE by_key SET id = 11 WHERE id = 1;  -- out, before
UPDATE by_key SET id = 2 WHERE id = 12;  -- in
UPDATE by_key SET id = 3 - 2 WHERE id = 3;
DELETE FROM by_key;
SELECT * FROM pg_temp.changes('{"table": "public.by_key", "where": "id < 3", "columns": ["id", "v"]}');
-- by any column, with the whole old row; NULL is not true
CREATE TABLE by_full (id int PRIMARY KEY, amount int, note text, extra text);
ALTER TABLE by_full REPLICA IDENTITY FULL;
INSERT INTO by_full VALUES (1, 50, 'a', 'e'), (2, 150, 'b', 'e'), (3, NULL, 'c', 'e');
UPDATE by_full SET amount = 200 WHERE id = 1;    -- in: insert
UPDATE by_full SET note = 'bb' WHERE id = 2;     -- stays: update
UPDATE by_full SET amount = 20 WHERE id = 2;     -- out: delete
UPDATE by_full SET note = 'cc' WHERE id = 3;     -- neither
UPDATE by_full SET amount = 300, id = 33 WHERE id = 3;
DELETE FROM by_full WHERE id IN (2, 33);
SELECT * FROM pg_temp.changes('{"table": "public.by_full", "where": "amount > 100"}');
-- a column list with the whole old row in the WAL: found by the primary key
SELECT * FROM pg_temp.changes('{"table": "public.by_full", "where": "amount > 100 AND extra = ''e''", "columns": ["note", "id"]}');
-- TOAST: an unchanged value is judged by the old row, and completes a row that comes in
CREATE TABLE big (id int PRIMARY KEY, kind int, body text);
ALTER TABLE big ALTER COLUMN body SET STORAGE EXTERNAL, REPLICA IDENTITY FULL;
INSERT INTO big VALUES (1, 0, repeat('b', 5000));
UPDATE big SET kind = 1;
UPDATE big SET kind = 2;
CREATE FUNCTION pg_temp.shapes(entry text) RETURNS TABLE (op text, body int, unchanged text) LANGUAGE sql AS $$
    SELECT j ->> 'op', length(j -> 'after' ->> 'body'), j ->> 'unchanged'
    FROM pg_logical_slot_peek_changes('regress_filter', NULL, NULL, 'tables', entry) AS c, jsonb(c.data) AS j $$;
SELECT * FROM pg_temp.shapes('{"table": "public.big", "where": "body LIKE ''b%'' AND kind > 0"}');
-- TRUNCATE is for everybody
TRUNCATE by_key;
SELECT op FROM pg_temp.changes('{"table": "public.by_key", "where": "false"}');
-- the first name decides, then the first pattern; braces and commas stay together
SELECT count(*) FROM pg_temp.changes('public.*,{"table": "public.by_key", "where": "id = length(''a,}'')"},{"table": "public.by_full", "where": "false"},{"table": "public.big", "where": "false"}');
-- a row that cannot be judged is named
INSERT INTO by_key VALUES (7, '0', 's');
SELECT * FROM pg_temp.changes('{"table": "public.by_key", "where": "1 / (id - 7) > 0"}');
\set VERBOSITY terse
-- what cannot be used
CREATE FUNCTION own(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE TYPE mood AS ENUM ('ok');
CREATE TABLE refused (id int PRIMARY KEY, m mood, doubled int GENERATED ALWAYS AS (id * 2) STORED);
CREATE FUNCTION pg_temp.try(entry text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text; detail text;
BEGIN
    PERFORM fanout._entry_for(entry, 'refused'::regclass);
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN said || coalesce(': ' || nullif(detail, ''), '');
END $$;
SELECT where_text, pg_temp.try(jsonb_build_object('table', 'public.refused', 'where', where_text)::text) FROM (VALUES
    ('id > 1'), ('id'), ('id >'), ('nothing = 1'), ('random() > 0.5'), ('now() > ''2000-01-01'''), ('public.own(id)'),
    ('id IN (SELECT 1)'), ('EXISTS (SELECT FROM pg_class)'), ('ctid = ''(0,1)'''), ('refused IS NULL'), ('m = ''ok'''),
    ('count(*) > 1'), ('1 = 1/0'), ('id = 1; DROP TABLE refused'), ('true FROM pg_class'), ('id, id'), ('id = 1 AS x'),
    ('true UNION SELECT false'), ('doubled > 1'), ('id = 1 OR true -- x'), ('id = any(ARRAY[1,2])'), ('id::text ~ ''^1''')) AS t (where_text);
SELECT columns_text, pg_temp.try(format('{"table": "public.refused", "columns": %s}', columns_text)) FROM (VALUES
    ('["id"]'), ('["m"]'), ('["id", "doubled"]'), ('["id", "id"]'), ('["id", "x"]'), ('[]'), ('"id"'), ('[1]'), ('["id", "ctid"]')) AS t (columns_text);
SELECT pg_temp.try(entry) FROM (VALUES ('{'), ('{}'), ('{"table": "refused"}'), ('{"table": "public.refused", "x": 1}'),
    ('{"table": "public.refused", "where": ""}'), ('{"table": 1}'), ('{"table": "public.refused"}')) AS t (entry);
SELECT * FROM fanout._entry_for('{"table": "x.y", "where": "id=1 or(id)>5", "columns": ["doubled","id"]}', 'refused'::regclass);
DROP TABLE by_key, by_full, big, refused;
DROP FUNCTION own;
DROP TYPE mood;
SELECT pg_drop_replication_slot('regress_filter');
