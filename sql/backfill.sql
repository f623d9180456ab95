-- resync, pause_backfill, resume_backfill, cancel_backfill, the view backfills, and what fanoutd is told.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE TABLE orders (id integer PRIMARY KEY, total numeric);
INSERT INTO orders SELECT g, g FROM generate_series(1, 1000) g;
CREATE TABLE "Odd Name" (id integer PRIMARY KEY);
CREATE TABLE notes (id integer);
ALTER TABLE notes REPLICA IDENTITY FULL;
ANALYZE;
SELECT fanout.create_target('lake', 'file', '{"path": "/tmp/lake.jsonl"}');
SELECT fanout.create_subscription('s', 'lake', '{public.*}', '{"backfill": true}');
SELECT fanout.create_subscription('plain', 'lake', '{public.orders}', '{"backfill": false}');
SELECT id AS sub FROM fanout.subscription_def WHERE name = 's' \gset
SELECT id AS plain FROM fanout.subscription_def WHERE name = 'plain' \gset
SELECT 'orders'::regclass::oid AS orders, '"Odd Name"'::regclass::oid AS odd \gset
-- What is to be done, and what fanoutd is told of it.
SELECT subscription, schema_name, table_name, state, rows_done, rows_estimate, percent, detail, generation FROM fanout.backfills ORDER BY 1, table_name COLLATE "C";
CREATE VIEW told AS
    SELECT s ->> 'name' AS subscription, b ->> 'name' AS table_name, b -> 'generation' AS generation, b -> 'predicate' AS predicate,
        b -> 'on_nonempty' AS on_nonempty, b -> 'paused' AS paused, b -> 'cancelled' AS cancelled
    FROM jsonb_array_elements(fanout.daemon_config() -> 'subscriptions') AS s, jsonb_array_elements(s -> 'backfills') AS b;
SELECT * FROM told ORDER BY 1, table_name COLLATE "C";
-- Progress as reported: what is done, the pace, the time left.
SET application_name = 'fanoutd';
SELECT state, detail FROM fanout.backfills WHERE table_name = 'orders';
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "streaming", "backfills": [{"table": %s, "schema": "public", "name": "orders", "generation": 1,
    "state": "copying", "mode": "ordered", "rows": 250, "bytes": 5000, "rows_estimate": null, "bytes_estimate": 20000, "chunks": 2, "retries": 1,
    "started_at": "2026-01-02T03:04:05Z", "detail": "waiting for the lane"}]}]}', :sub, :orders)::jsonb);
SELECT state, mode, rows_done, rows_estimate, percent, bytes_done, bytes_estimate, chunks, retries, started_at, finished_at, detail
    FROM fanout.backfills WHERE table_name = 'orders';
UPDATE fanout.backfill_status SET rows_per_second = 100, reported_at = clock_timestamp() - interval '1000 s';
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "backfills": [{"table": %s, "schema": "public", "name": "orders", "generation": 1,
    "state": "copying", "mode": "ordered", "rows": 500, "bytes": 10000, "chunks": 4}]}]}', :sub, :orders)::jsonb);
SELECT rows_done, percent, rows_per_second, date_trunc('hour', eta) AS eta, chunks, retries FROM fanout.backfills WHERE table_name = 'orders';
-- wait_for() waits for the rows, too; or for the changes alone.
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "streaming", "cursor_lsn": "FFFF/0", "cursor_end_lsn": "FFFF/10"}]}', :sub)::jsonb);
SELECT fanout.wait_for('s', timeout => '0 s');
SELECT fanout.wait_for('s', timeout => '0 s', backfill => false);
-- Pausing and resuming one table.
SELECT fanout.pause_backfill('s', '{public.orders}');
SELECT table_name, state FROM fanout.backfills ORDER BY table_name COLLATE "C";
SELECT fanout.wait_for('s', timeout => '0 s');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.wait_for('s', timeout => '0 s', backfill => false);
SELECT * FROM told WHERE subscription = 's' ORDER BY table_name COLLATE "C";
SELECT fanout.pause_backfill('s', '{public.orders}');
SELECT fanout.resume_backfill('s', '{public.orders}');
SELECT fanout.resume_backfill('s', '{public.orders}');
SELECT table_name, state FROM fanout.backfills ORDER BY table_name COLLATE "C";
-- Pausing all, with those that come later.
SELECT fanout.pause_backfill('s');
CREATE TABLE later (id integer PRIMARY KEY);
SELECT table_name, state FROM fanout.backfills ORDER BY table_name COLLATE "C";
SELECT fanout.pause_backfill('s');
SELECT fanout.resume_backfill('s', '{public.later}');
\echo :LAST_ERROR_SQLSTATE
SELECT item, state, detail, remedy FROM fanout.check() WHERE item LIKE 'backfill of%' ORDER BY item COLLATE "C";
SELECT fanout.resume_backfill('s');
SELECT table_name, state FROM fanout.backfills ORDER BY table_name COLLATE "C";
-- Complete, and cancelled.
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "backfills": [{"table": %s, "schema": "public", "name": "orders", "generation": 1,
    "state": "complete", "mode": "ordered", "rows": 1001, "bytes": 20020, "chunks": 5, "finished_at": "2026-01-02T03:04:06Z"}]}]}', :sub, :orders)::jsonb);
SELECT state, rows_done, rows_estimate, percent, rows_per_second, eta, finished_at FROM fanout.backfills WHERE table_name = 'orders';
SELECT fanout.cancel_backfill('s', '{public.later, public.notes}');
SELECT table_name, state FROM fanout.backfills ORDER BY table_name COLLATE "C";
SELECT fanout.cancel_backfill('s', '{public.later}');
SELECT item, state, detail, remedy FROM fanout.check() WHERE item LIKE 'backfill of%' ORDER BY item COLLATE "C";
SELECT fanout.cancel_backfill('s');
SELECT fanout.wait_for('s', timeout => '0 s');
-- Again: one table, tables by pattern, all; a subscription that copied nothing at first.
SELECT fanout.resync('s', '{public.orders}');
SELECT table_name, state, rows_done, generation FROM fanout.backfills ORDER BY table_name COLLATE "C";
SELECT fanout.resync('s', '{public.o*, "/public.Odd Name/"}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.resync('s', '{"/public\\.(later|Odd Name)/"}');
SELECT fanout.resync('s');
SELECT fanout.resync('plain', '{public.orders}');
SELECT * FROM told ORDER BY 1, table_name COLLATE "C";
-- An older generation's report no longer counts.
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "backfills": [{"table": %s, "schema": "public", "name": "orders", "generation": 1,
    "state": "complete", "rows": 1001}]}]}', :sub, :orders)::jsonb);
SELECT table_name, state, rows_done, generation FROM fanout.backfills WHERE subscription = 's' AND table_name = 'orders';
-- A failure.
SELECT fanout.report(format('{"subscriptions": [{"id": %s, "state": "failed", "last_error": "orders has rows", "backfills": [{"table": %s, "schema": "public",
    "name": "orders", "generation": 3, "state": "failed", "last_error": "orders has rows", "last_error_hint": "Empty it."}]}]}', :sub, :orders)::jsonb);
SELECT table_name, state, detail, last_error, last_error_hint FROM fanout.backfills WHERE subscription = 's' ORDER BY table_name COLLATE "C";
SELECT item, state, detail, remedy FROM fanout.check() WHERE item LIKE 'backfill of%' ORDER BY item COLLATE "C";
SELECT fanout.cancel_backfill('s', '{public.orders}');
SELECT state FROM fanout.subscription_status WHERE subscription_id = :sub;
-- What is refused.
SELECT fanout.resync('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.resync('plain', '{public.notes}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.resync('plain', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.pause_backfill('plain', '{NULL}');
\echo :LAST_ERROR_SQLSTATE
-- A paused subscription copies nothing; one that lost its slot begins anew.
SELECT fanout.pause_subscription('plain');
SELECT fanout.resync('plain');
SELECT state, detail FROM fanout.backfills WHERE subscription = 'plain';
SELECT fanout.resume_subscription('plain');
SELECT fanout.stop_stream(drop_slot => true);
SELECT fanout.start_stream();
SELECT fanout.resync('plain', '{public.orders}');
\echo :LAST_ERROR_SQLSTATE
SELECT name, state FROM fanout.subscriptions ORDER BY name;
SELECT fanout.resync('plain');
SELECT name, state FROM fanout.subscriptions ORDER BY name;
SELECT * FROM told WHERE subscription = 'plain';
-- A large table without a key is read under one snapshot.
CREATE TABLE heap (filler text);
ALTER TABLE heap REPLICA IDENTITY FULL;
ALTER TABLE heap ALTER filler SET STORAGE PLAIN;
INSERT INTO heap SELECT repeat('x', 7000) FROM generate_series(1, 9000);
SELECT item, state, remedy FROM fanout.check() WHERE item LIKE 'table%';
ALTER TABLE heap ADD id bigserial UNIQUE;
SELECT item, state, remedy FROM fanout.check() WHERE item LIKE 'table%';
DROP TABLE heap;
-- Tables that go, and the subscription.
DROP TABLE later;
SELECT table_name FROM fanout.backfills WHERE subscription = 's' ORDER BY table_name COLLATE "C";
SELECT fanout.drop_subscription('s');
SELECT fanout.drop_subscription('plain');
SELECT count(*) FROM fanout.backfill_status;
SELECT count(*) FROM fanout.backfill_def;
SELECT fanout.stop_stream(drop_slot => true);
