-- Who may do what: nobody, fanout_monitor, fanout_admin, and the owner of a subscription.
\set SHOW_CONTEXT never
CREATE ROLE regress_nobody;
CREATE EXTENSION pg_fanout;
CREATE ROLE regress_watcher IN ROLE fanout_monitor;
CREATE ROLE regress_alice IN ROLE fanout_admin;
CREATE ROLE regress_bob IN ROLE fanout_admin;
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO PUBLIC;
CREATE TABLE app.orders (id integer PRIMARY KEY);
CREATE TABLE app.salaries (id integer PRIMARY KEY);
CREATE TABLE app.columns (id integer PRIMARY KEY, secret text);
CREATE TABLE app.rows (id integer PRIMARY KEY);
ALTER TABLE app.rows ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON app.orders, app.rows TO regress_alice;
GRANT SELECT (id) ON app.columns TO regress_alice;
-- Nobody.
SET ROLE regress_nobody;
SELECT fanout.start_stream();
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM fanout.subscriptions;
SELECT fanout.check();
RESET ROLE;
-- An administrator sets things up, without being a superuser.
SET ROLE regress_alice;
SELECT fanout.start_stream();
SELECT fanout.create_target('lake', 'file', '{"path": "/tmp/lake.jsonl"}');
SELECT fanout.create_subscription('orders', 'lake', '{app.orders}');
SELECT fanout.pause_subscription('orders');
SELECT fanout.resume_subscription('orders');
SELECT fanout.report('{}');
SELECT fanout.daemon_config() IS NOT NULL AS config;
SELECT name, owner FROM fanout.subscriptions;
-- Only what it may read, and all of that.
SELECT fanout.create_subscription('s', 'lake', '{app.salaries}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('s', 'lake', '{app.*}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('s', 'lake', '{app.columns}');
SELECT fanout.create_subscription('s', 'lake', '{app.rows}');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM fanout.subscriptions WHERE name = 's';
-- Not in somebody else's name, not even by hand.
INSERT INTO fanout.subscription_def (name, target_id, stream_id, generation, tables, options, owner, start_lsn, system_identifier, database_oid)
    SELECT 'forged', target_id, stream_id, generation, '{app.salaries}', '{}', 'postgres', start_lsn, system_identifier, database_oid
    FROM fanout.subscription_def;
\echo :LAST_ERROR_SQLSTATE
UPDATE fanout.subscription_def SET owner = 'postgres';
RESET ROLE;
SET ROLE regress_bob;
UPDATE fanout.subscription_def SET owner = 'regress_bob';
UPDATE fanout.subscription_def SET tables = '{app.salaries}';
UPDATE fanout.target_def SET options = '{"path": "/tmp/mine"}';
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.pause_subscription('orders');
SELECT fanout.resume_subscription('orders');
RESET ROLE;
-- Whoever fanoutd is has to read the tables that are copied, and all of each.
CREATE ROLE regress_daemon LOGIN IN ROLE fanout_admin;
SET ROLE regress_alice;
SELECT fanout.alter_subscription('orders', '{"backfill": true}');
RESET ROLE;
\c - regress_daemon
\set SHOW_CONTEXT never
SET application_name = 'fanoutd';
SELECT item, state, detail, remedy FROM fanout.check() WHERE item LIKE 'backfill%';
\c - postgres
\set SHOW_CONTEXT never
GRANT SELECT ON app.orders TO regress_daemon;
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
ALTER ROLE regress_alice BYPASSRLS;
\c - regress_daemon
SET application_name = 'fanoutd';
SELECT item, state, detail, remedy FROM fanout.check() WHERE item LIKE 'backfill%';
\c - postgres
\set SHOW_CONTEXT never
ALTER TABLE app.orders DISABLE ROW LEVEL SECURITY;
ALTER ROLE regress_alice NOBYPASSRLS;
SELECT fanout.alter_subscription('orders', '{"backfill": null}');
-- A monitor looks at everything but the targets' table, and changes nothing.
SET ROLE regress_watcher;
SELECT name, state FROM fanout.subscriptions;
SELECT name, state FROM fanout.streams;
SELECT name, options FROM fanout.targets;
SELECT count(*) > 0 AS connectors FROM fanout.connectors;
SELECT subscription, table_name, state FROM fanout.subscription_tables;
SELECT count(*) > 5 AS checked FROM fanout.check();
SELECT count(*) AS backfills FROM fanout.backfills;
SELECT count(*) > 5 AS options FROM fanout.subscription_options;
SELECT fanout.wait_for('orders', timeout => '0');
SELECT fanout.wait_for('nowhere');
SELECT fanout.resync('orders');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.pause_backfill('orders');
SELECT * FROM fanout.target_def;
SELECT fanout.pause_subscription('orders');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('t', 'blackhole', '{}');
SELECT fanout.create_subscription('s', 'lake', '{app.orders}');
SELECT fanout.drop_subscription('orders');
SELECT fanout.drop_target('lake');
SELECT fanout.start_stream('x');
SELECT fanout.stop_stream();
SELECT fanout.attach('main', NULL, 'here:1');
SELECT fanout.daemon_config();
SELECT fanout.report('{}');
SELECT fanout.create_slot('x');
SELECT fanout.drop_slot('fanout_main');
SELECT fanout.stop_worker('fanout_main');
DELETE FROM fanout.subscription_def;
RESET ROLE;
-- Installing takes a superuser.
SELECT fanout.drop_subscription('orders');
SELECT fanout.stop_stream(drop_slot => true);
DROP EXTENSION pg_fanout;
GRANT CREATE ON DATABASE regression TO regress_alice;
SET ROLE regress_alice;
CREATE EXTENSION pg_fanout;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP SCHEMA app CASCADE;
DROP OWNED BY regress_alice;
DROP OWNED BY regress_daemon;
DROP ROLE regress_nobody, regress_watcher, regress_alice, regress_bob, regress_daemon;
