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
-- refused
SELECT * FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL, 'include_xid', 'true');
SELECT * FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL, 'include_xids', 'maybe');
SELECT * FROM pg_logical_slot_peek_changes('regress_options', NULL, NULL, 'include_lsns', NULL);
DROP TABLE opt;
SELECT pg_drop_replication_slot('regress_options');
