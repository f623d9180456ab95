-- A dump carries the configuration; the copy delivers nothing until a person says so.
\set SHOW_CONTEXT never
CREATE TABLE orders (id integer PRIMARY KEY);
SELECT fanout.create_target('lake', 'file', '{"path": "/tmp/lake.jsonl"}');
SELECT fanout.create_subscription('s', 'lake', '{public.orders}');
SELECT fanout.create_subscription('paused', 'lake', '{public.*}');
SELECT fanout.pause_subscription('paused');
SELECT fanout.resync('s');
SELECT id FROM fanout.subscription_def WHERE name = 's' \gset
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'streaming', 'rows_read', 5))));
CREATE DATABASE restored;
\! pg_dump -d regression | psql -X -q -v ON_ERROR_STOP=1 -d restored > /dev/null
\c restored
\set SHOW_CONTEXT never
SELECT name, connector, options FROM fanout.targets;
SELECT name, state, slot, restart_lsn, generation FROM fanout.streams;
SELECT name, state, rows_read, tables, owner FROM fanout.subscriptions ORDER BY name;
SELECT s -> 'name' AS name, s -> 'restored' AS restored FROM jsonb_array_elements(fanout.daemon_config() -> 'subscriptions') AS s ORDER BY 1;
SELECT s -> 'name' AS name, s -> 'enabled' AS enabled, s -> 'slot_exists' AS slot FROM jsonb_array_elements(fanout.daemon_config() -> 'streams') AS s;
SELECT count(*) > 0 AS connectors FROM fanout.connectors;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item ~ '^(stream|subscription)';
SELECT fanout.attach('main', NULL, 'here:1');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.wait_for('s');
\echo :LAST_ERROR_SQLSTATE
-- First the stream, under a slot of its own, then each subscription.
SELECT fanout.resume_subscription('s');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.start_stream();
SELECT name, state, slot <> 'fanout_main' AS own_slot, generation FROM fanout.streams;
SELECT name, state FROM fanout.subscriptions ORDER BY name;
SELECT fanout.resume_subscription('s');
SELECT schema_name, table_name, generation, on_nonempty, table_oid = 'orders'::regclass AS of_here FROM fanout.backfill_def;
SELECT fanout.resume_subscription('paused');
SELECT name, state FROM fanout.subscriptions ORDER BY name;
SELECT fanout.resume_subscription('s');
-- Numbers go on behind those of the dump.
SELECT max(id) AS newest FROM fanout.subscription_def \gset
SELECT fanout.create_subscription('new', 'lake', '{public.orders}');
SELECT id > :newest AS is_new FROM fanout.subscription_def WHERE name = 'new';
-- The original has not noticed.
SELECT fanout.stop_stream(drop_slot => true);
\c regression
SELECT name, state, slot, generation FROM fanout.streams;
SELECT name, state, rows_read FROM fanout.subscriptions ORDER BY name;
DROP DATABASE restored;
SELECT fanout.drop_subscription(name) FROM fanout.subscriptions;
SELECT fanout.stop_stream(drop_slot => true);
