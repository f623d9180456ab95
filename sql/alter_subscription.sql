-- alter_subscription: options and tables of a subscription that streams.
\set SHOW_CONTEXT never
CREATE TABLE orders (id integer PRIMARY KEY);
CREATE TABLE items (id integer PRIMARY KEY);
CREATE TABLE notes (id integer PRIMARY KEY);
SELECT fanout.create_target('lake', 'file', '{"path": "/tmp/lake.jsonl"}');
SELECT fanout.create_subscription('s', 'lake', '{public.orders}', '{"backfill": true, "workers": 2}');
SELECT id AS sub FROM fanout.subscription_def \gset
-- Options are merged, null takes one back.
SELECT fanout.alter_subscription('s', '{"on_nonempty": "upsert", "bytes_per_second": "8MB"}');
SELECT options FROM fanout.subscriptions;
SELECT fanout.alter_subscription('s', '{"on_nonempty": null, "workers": 3, "chunk_bytes": 65536}');
SELECT options, tables FROM fanout.subscriptions;
SELECT fanout.daemon_config() #> '{subscriptions,0,backfill_options}' AS backfill_options;
-- Tables replace the list.
SELECT fanout.alter_subscription('s', tables => '{public.orders, public.notes}');
SELECT tables FROM fanout.subscriptions;
SELECT schema_name, table_name, generation FROM fanout.backfills ORDER BY table_name;
-- A table that comes back is copied again, for it has missed changes.
SELECT fanout.alter_subscription('s', '{"workers": 1}', '{public.orders}');
SELECT fanout.alter_subscription('s', tables => '{public.orders, public.notes, public.items}');
SELECT schema_name, table_name, generation FROM fanout.backfills ORDER BY table_name;
-- Nothing is restarted by it, unless it had failed.
SELECT revision FROM fanout.subscription_def;
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "failed", "last_error": "not empty"}]}', :sub)::jsonb);
SELECT fanout.alter_subscription('s', '{"on_nonempty": "truncate"}');
SELECT revision FROM fanout.subscription_def;
SELECT state FROM fanout.subscription_status;
-- What is refused leaves all as it was.
SELECT fanout.alter_subscription('s');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.alter_subscription('elsewhere', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.alter_subscription('s', '{"splendour": null}');
SELECT fanout.alter_subscription('s', '{"workers": 77}', '{public.orders}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.alter_subscription('s', '{"create_tables": true}');
SELECT fanout.alter_subscription('s', tables => '{}');
SELECT fanout.alter_subscription('s', tables => '{public.nowhere}');
\echo :LAST_ERROR_SQLSTATE
SELECT options, tables FROM fanout.subscriptions;
-- Whoever may not act for the owner may not choose what is read with the owner's rights.
CREATE ROLE altering_admin;
GRANT fanout_admin TO altering_admin;
SET ROLE altering_admin;
SELECT fanout.alter_subscription('s', tables => '{public.orders}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.alter_subscription('s', '{"workers": 4}');
SELECT options, tables FROM fanout.subscriptions;
RESET ROLE;
REVOKE fanout_admin FROM altering_admin;
DROP ROLE altering_admin;
SELECT fanout.drop_subscription('s');
SELECT count(*) FROM fanout.backfill_def;
SELECT fanout.stop_stream(drop_slot => true);
