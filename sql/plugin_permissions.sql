-- The text face is for superusers and members of fanout_admin: REPLICATION alone is not enough.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_permissions', 'pg_fanout');
CREATE ROLE regress_replicator LOGIN REPLICATION;
CREATE ROLE regress_operator LOGIN REPLICATION IN ROLE fanout_admin;
CREATE TABLE per (id int PRIMARY KEY);
INSERT INTO per VALUES (1);
SET ROLE regress_replicator;
SELECT data FROM pg_logical_slot_peek_changes('regress_permissions', NULL, NULL);
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_permissions_2', 'pg_fanout');
SET ROLE regress_operator;
SELECT data FROM pg_logical_slot_peek_changes('regress_permissions', NULL, NULL,
    'include_xids', 'off', 'include_lsns', 'off', 'include_times', 'off');
RESET ROLE;
DROP TABLE per;
SELECT pg_drop_replication_slot('regress_permissions');
DROP ROLE regress_replicator, regress_operator;
