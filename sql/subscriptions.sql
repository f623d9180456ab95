-- create_subscription, drop_subscription, and the view subscriptions.
\set SHOW_CONTEXT never
CREATE TABLE orders (id integer PRIMARY KEY);
SELECT fanout.create_target('copy', 'sqlite', '{"path": "/tmp/copy.db"}');
SELECT fanout.create_target('lake', 'file', '{"path": "/tmp/lake.jsonl"}');
-- The stream main is started for the first one.
SELECT name, state FROM fanout.streams;
SELECT fanout.create_subscription('orders', 'copy', '{public.orders}', '{"create_tables": true}');
SELECT fanout.create_subscription(name => 'lake', target => 'lake', tables => '{public.*}', options => '{"backfill": false}');
SELECT name, slot, generation FROM fanout.streams;
SELECT name, stream, target, connector, state, cursor_lsn, lag_bytes >= 0 AS lag_bytes, lag_seconds >= 0 AS lag_seconds,
        rows_read, rows_delivered, rows_filtered, rows_dead_lettered, transactions, retries
    FROM fanout.subscriptions ORDER BY name;
SELECT name, last_error, last_error_hint, last_error_at, paused, start_lsn IS NOT NULL AS start_lsn, owner, tables, options, reported_at
    FROM fanout.subscriptions ORDER BY name;
-- The row is in the WAL of the transaction that made it; a rollback leaves nothing.
BEGIN;
SELECT fanout.create_subscription('undone', 'copy', '{public.orders}');
ROLLBACK;
SELECT count(*) FROM fanout.subscriptions WHERE name = 'undone';
-- What is refused.
SELECT fanout.create_subscription('orders', 'copy', '{public.orders}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription(NULL, 'copy', '{public.orders}');
SELECT fanout.create_subscription('', 'copy', '{public.orders}');
SELECT fanout.create_subscription('s', 'elsewhere', '{public.orders}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('s', NULL, '{public.orders}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', NULL);
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '"yes"');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"filter": "id > 3"}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"create_tables": "yes"}');
SELECT fanout.create_subscription('s', 'lake', '{public.orders}', '{"create_tables": true}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"backfill": null}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"workers": 0}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"workers": "2"}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"workers": 1.5}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"rows_per_second": 1e30}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"bytes_per_second": "fast"}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"chunk_bytes": "1GB"}');
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"on_nonempty": "drop"}');
\echo :LAST_ERROR_SQLSTATE
SELECT name, type, "default", allowed FROM fanout.subscription_options
    WHERE name IN ('backfill', 'bytes_per_second', 'chunk_bytes', 'on_nonempty', 'rows_per_second', 'workers') ORDER BY name;
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{}', 'other');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{}', 'Other-Stream');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{}', NULL);
SELECT name FROM fanout.subscriptions ORDER BY name;
-- On another stream, and on one that is stopped.
SELECT fanout.start_stream('other');
SELECT fanout.create_subscription('elsewhere', 'lake', '{public.orders}', '{}', 'other');
SELECT fanout.stop_stream('other');
SELECT fanout.create_subscription('on a stopped one', 'lake', '{public.orders}', stream => 'other');
SELECT name, stream, state FROM fanout.subscriptions WHERE stream = 'other' ORDER BY name;
-- Dropping. Identifiers are never used again, not even that of the newest.
SELECT fanout.drop_subscription('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.drop_subscription(NULL);
SELECT max(id) AS newest FROM fanout.subscription_def \gset
SELECT fanout.drop_subscription('on a stopped one');
SELECT fanout.create_subscription('on a stopped one', 'lake', '{public.orders}', stream => 'other');
SELECT max(id) > :newest AS is_new FROM fanout.subscription_def;
SELECT fanout.drop_subscription(name) FROM (SELECT name FROM fanout.subscriptions ORDER BY name) AS s;
SELECT fanout.drop_subscription('orders');
SELECT fanout.stop_stream('other', drop_slot => true);
SELECT fanout.stop_stream(drop_slot => true);
