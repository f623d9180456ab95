-- TOASTed values: carried when they change, named in unchanged when they do not.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_toast', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_toast', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE toa (id int PRIMARY KEY, big text, small text, bin bytea);
ALTER TABLE toa ALTER big SET STORAGE EXTERNAL, ALTER bin SET STORAGE EXTERNAL;
CREATE FUNCTION pg_temp.short_changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT regexp_replace(c, '"([A-Za-z0-9+/=]{100})[A-Za-z0-9+/=]*"', '"\1…"', 'g') FROM pg_temp.changes() c $$;
INSERT INTO toa VALUES (1, repeat('0123456789', 1000), 'small', decode(repeat('ff', 5000), 'hex'));
UPDATE toa SET small = 'other';
UPDATE toa SET big = repeat('x', 5000);
UPDATE toa SET id = 2;
UPDATE toa SET bin = '\x00', small = NULL;
ALTER TABLE toa REPLICA IDENTITY FULL;
UPDATE toa SET small = 'full';
DELETE FROM toa;
SELECT * FROM pg_temp.short_changes();
DROP TABLE toa;
SELECT pg_drop_replication_slot('regress_toast');
