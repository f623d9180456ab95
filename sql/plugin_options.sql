-- Options of the output plugin: each does what it says, anything else is refused by name.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_options', 'pg_fanout');
CREATE TABLE opt (id int PRIMARY KEY);
INSERT INTO opt VALUES (1);
SELECT count(*) AS lines, bool_and(data::jsonb ?& '{xid,lsn,commit_time,index}') AS complete
    FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL) WHERE data LIKE '%"op":"insert"%';
SELECT data::jsonb - '{commit_time,xid,lsn,end_lsn}'::text[] AS line FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL, 'include_transactions', 'true')
    WHERE data LIKE '%insert%' OR data LIKE '%"changes":1%';
SELECT data FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL,
    'include_xids', 'off', 'include_lsns', 'no', 'include_times', '0');
-- which tables, and no messages
CREATE TABLE "Opt, two" (id int PRIMARY KEY);
INSERT INTO "Opt, two" VALUES (2);
SELECT 'sent' FROM pg_logical_emit_message(true, 'app', 'text');
CREATE FUNCTION pg_temp.tables_of(patterns text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data::jsonb ->> 'table' FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL,
        'include_messages', 'off', 'tables', patterns) $$;
SELECT pg_temp.tables_of('public.opt');
SELECT pg_temp.tables_of('public."Opt, two",/o,p{9}t/');
SELECT pg_temp.tables_of('/^public\.[oO]/');
SELECT pg_temp.tables_of('public.*');
SELECT pg_temp.tables_of('other.*');
-- refused
SELECT pg_temp.tables_of('opt');
SELECT pg_temp.tables_of('/(/');
SELECT pg_temp.tables_of('');
SELECT * FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL, 'include_xid', 'true');
SELECT * FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL, 'include_xids', 'maybe');
SELECT * FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL, 'include_lsns', NULL);
DROP TABLE opt, "Opt, two";
SELECT pg_drop_replication_slot('regress_options');
