-- report() and daemon_config(): what fanoutd says and is told, and how the views show it.
\set SHOW_CONTEXT never
CREATE TABLE orders (id integer PRIMARY KEY);
CREATE TABLE notes (id integer);
SELECT fanout.create_target('lake', 'file', '{"path": "/tmp/lake.jsonl"}');
SELECT fanout.create_subscription('s', 'lake', '{public.orders,public.notes}', '{"backfill": false}');
SELECT id AS sub, stream_id AS stream FROM fanout.subscription_def \gset
-- What fanoutd is told.
SELECT k FROM jsonb_object_keys(fanout.daemon_config()) AS k ORDER BY k;
SELECT key, value FROM jsonb_each(fanout.daemon_config() -> 'streams' -> 0)
    WHERE key NOT IN ('identity', 'start_lsn', 'confirmed_lsn') ORDER BY key;
SELECT key, value FROM jsonb_each(fanout.daemon_config() -> 'subscriptions' -> 0) WHERE key <> 'start_lsn' ORDER BY key;
SELECT fanout.daemon_config() ->> 'system_identifier' = system_identifier::text AS system_identifier,
    fanout.daemon_config() ->> 'database' = current_database() AS database FROM pg_control_system();
-- The first report.
SET application_name = 'fanoutd';
SELECT name, state FROM fanout.subscriptions;
SELECT fanout.report(format('{"daemon": "here:1",
    "streams": [{"id": %s, "state": "streaming", "journal_bytes": 4096, "journal_first_lsn": "0/10", "journal_durable_lsn": "0/20"}],
    "subscriptions": [{"id": %s, "state": "streaming", "cursor_lsn": "0/18", "cursor_end_lsn": "0/20", "cursor_time": "2026-01-02T03:04:05Z",
        "caught_up": false, "rows_read": 10, "rows_delivered": 7, "rows_filtered": 2, "rows_dead_lettered": 1, "transactions": 3, "retries": 4,
        "last_error": "went away", "last_error_hint": "Bring it back.", "last_error_at": "2026-01-02T03:04:00Z",
        "tables": [{"oid": %s, "schema": "public", "name": "orders", "identity": "primary key", "rows_delivered": 7, "note": "seen"}]}]}',
    :stream, :sub, 'orders'::regclass::oid)::jsonb);
SET timezone = 'UTC';
SELECT name, state, cursor_lsn, rows_read, rows_delivered, rows_filtered, rows_dead_lettered, transactions, retries FROM fanout.subscriptions;
SELECT last_error, last_error_hint, last_error_at, reported_at > now() - interval '1 minute' AS just_now FROM fanout.subscriptions;
SELECT lag_bytes > 0 AS lag_bytes, lag_seconds >= 0 AS lag_seconds FROM fanout.subscriptions;
SELECT subscription, table_name, identity, rows_delivered, state, note FROM fanout.subscription_tables ORDER BY table_name;
SELECT name, state, journal_bytes, error, daemon FROM fanout.streams;
-- Caught up: the lag is that of the slot, not of the report; and only while it streams from this slot.
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "caught_up": true}]}', :sub)::jsonb);
SELECT v.state, v.lag_bytes < 100000 AS near FROM fanout.subscriptions v;
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "retrying"}]}', :sub)::jsonb);
SELECT v.state, v.lag_bytes < 100000 AS near FROM fanout.subscriptions v;
-- Missing fields keep their value; null is a value.
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "retrying", "last_error": null, "retries": 5}]}', :sub)::jsonb);
SELECT state, cursor_lsn, rows_read, retries, last_error, last_error_hint FROM fanout.subscriptions;
SELECT daemon, journal_bytes FROM fanout.streams;
-- Every state shows.
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "failed"}]}', :sub)::jsonb);
SELECT state FROM fanout.subscriptions;
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "denied"}]}', :sub)::jsonb);
SELECT state FROM fanout.subscriptions;
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "starting"}]}', :sub)::jsonb);
SELECT state FROM fanout.subscriptions;
-- Without a daemon it waits, but a failure stays visible.
RESET application_name;
SELECT state FROM fanout.subscriptions;
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "failed"}]}', :sub)::jsonb);
SELECT state FROM fanout.subscriptions;
-- Tables that are gone.
DROP TABLE orders;
SELECT table_name, rows_delivered, state, note FROM fanout.subscription_tables ORDER BY table_name;
-- A failed stream.
SELECT fanout.report(format('{"streams": [{"id": %s, "state": "failed", "error": "slot_ahead: made up"}]}', :stream)::jsonb);
SELECT name, state, error FROM fanout.streams;
-- What no longer exists is passed over; what is not a report is refused whole.
SELECT fanout.report('{"streams": [{"id": 999}], "subscriptions": [{"id": 999, "state": "streaming", "tables": []}]}');
SELECT count(*) FROM fanout.subscription_status;
SELECT fanout.report(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.report('[]');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "retries": 77, "state": "splendid"}]}', :sub)::jsonb);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT retries FROM fanout.subscriptions;
-- Connectors.
SELECT fanout.report('{"connectors": [{"name": "blackhole", "version": "9.9", "summary": "newer", "capabilities": [], "options": []},
    {"name": "pigeon", "version": "1", "summary": "by air", "capabilities": ["messages"], "options": []}]}');
SELECT name, version, summary, capabilities, options, builtin FROM fanout.connectors WHERE name IN ('blackhole', 'pigeon') ORDER BY name;
SELECT fanout.drop_subscription('s');
SELECT count(*) FROM fanout.subscription_status;
SELECT count(*) FROM fanout.subscription_table_status;
SELECT fanout.stop_stream(drop_slot => true);
