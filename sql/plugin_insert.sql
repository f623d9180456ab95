-- Inserts: values, NULL, defaults, generated columns, quoted names, COPY, several tables in one transaction.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_insert', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_insert', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TABLE ins (id int PRIMARY KEY, name text, made int GENERATED ALWAYS AS (id * 2) STORED, at int DEFAULT 7);
CREATE TABLE "Odd ""Name" (id bigint PRIMARY KEY, "Some Column" text, "a""b" int);
INSERT INTO ins (id, name) VALUES (1, 'one'), (2, NULL), (3, 'quote " backslash \ newline' || chr(10) || 'tab' || chr(9));
INSERT INTO ins SELECT g, 'many ' || g FROM generate_series(4, 6) g;
INSERT INTO "Odd ""Name" VALUES (9223372036854775807, 'x', NULL);
COPY ins (id, name) FROM stdin;
7	copied
8	\N
\.
BEGIN;
INSERT INTO ins (id, name) VALUES (9, 'both');
INSERT INTO "Odd ""Name" VALUES (2, 'both', 1);
COMMIT;
SELECT * FROM pg_temp.changes();
-- read once, it is gone
SELECT * FROM pg_temp.changes();
DROP TABLE ins, "Odd ""Name";
SELECT pg_drop_replication_slot('regress_insert');
