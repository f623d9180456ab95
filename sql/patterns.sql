-- Which tables a subscription's patterns choose.
\set SHOW_CONTEXT never
CREATE SCHEMA sales;
CREATE SCHEMA "Back Office";
CREATE TABLE orders (id integer PRIMARY KEY);
CREATE TABLE order_items (id integer PRIMARY KEY);
CREATE TABLE sales.orders (id integer PRIMARY KEY);
CREATE TABLE sales."Order.Notes" (id integer PRIMARY KEY);
CREATE TABLE "Back Office"."Plan ""B""" (id integer PRIMARY KEY);
CREATE UNLOGGED TABLE scratch (id integer PRIMARY KEY);
CREATE VIEW latest AS SELECT * FROM orders;
CREATE MATERIALIZED VIEW summed AS SELECT count(*) FROM orders;
CREATE TABLE events (id integer, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT pattern, schema, name, fanout.pattern_matches(pattern, schema, name)
    FROM (VALUES ('public.orders', 'public', 'orders'), ('public.orders', 'public', 'orders2'),
        ('public.orders', 'sales', 'orders'), ('public.*', 'public', 'anything'), ('public.*', 'public2', 'anything'),
        ('"Back Office".*', 'Back Office', 'x'), ('"Back Office"."Plan ""B"""', 'Back Office', 'Plan "B"'),
        ('sales."Order.Notes"', 'sales', 'Order.Notes'), ('/order/', 'public', 'my_orders'),
        ('/^public\.order/', 'public', 'orders'), ('/^public\.order/', 'sales', 'orders'),
        ('/orders$/', 'sales', 'orders'), ('Public.Orders', 'public', 'orders')) AS v (pattern, schema, name);
SELECT fanout.pattern_matches('orders', 'public', 'orders');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.pattern_matches('', 'public', 'orders');
SELECT fanout.pattern_matches('/[/', 'public', 'orders');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.pattern_matches('a.b.c', 'public', 'orders');
SELECT fanout.pattern_matches('public."orders', 'public', 'orders');
SELECT fanout.pattern_matches(NULL, 'public', 'orders') IS NULL AS is_null;
-- Subscriptions.
SELECT fanout.start_stream();
SELECT fanout.create_target('hole', 'blackhole', '{}');
SELECT fanout.create_subscription('name', 'hole', '{public.orders}');
SELECT fanout.create_subscription('schema', 'hole', '{public.*}');
SELECT fanout.create_subscription('regex', 'hole', '{/\.orders$/}');
SELECT fanout.create_subscription('quoted', 'hole', ARRAY['"Back Office"."Plan ""B"""', 'sales."Order.Notes"']);
SELECT fanout.create_subscription('overlap', 'hole', '{sales.orders,sales.*,/sales/}');
SELECT fanout.create_subscription('partitions', 'hole', '{/^public\.events_/}');
SELECT subscription, schema_name, table_name, identity, rows_delivered, state, note
    FROM fanout.subscription_tables ORDER BY subscription COLLATE "C", schema_name COLLATE "C", table_name COLLATE "C";
-- Tables that come and go.
CREATE TABLE sales.later (id integer);
DROP TABLE order_items;
SELECT subscription, schema_name, table_name, identity, state, note
    FROM fanout.subscription_tables WHERE subscription IN ('schema', 'overlap') ORDER BY subscription COLLATE "C", schema_name COLLATE "C", table_name COLLATE "C";
-- What is refused.
SELECT fanout.create_subscription('bad', 'hole', '{orders}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('bad', 'hole', '{/[/}');
SELECT fanout.create_subscription('bad', 'hole', '{public.ordres}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('bad', 'hole', '{public.orders,archive.*}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('bad', 'hole', '{/^nothing$/}');
SELECT fanout.create_subscription('bad', 'hole', '{public.scratch}');
SELECT fanout.create_subscription('bad', 'hole', '{public.latest}');
SELECT fanout.create_subscription('bad', 'hole', '{public.summed}');
SELECT fanout.create_subscription('parent', 'hole', '{public.events}');
SELECT schema_name, table_name FROM fanout.subscription_tables WHERE subscription = 'parent' ORDER BY 2;
SELECT fanout.create_subscription('bad', 'hole', '{fanout.target_def}');
SELECT fanout.create_subscription('bad', 'hole', '{pg_catalog.*}');
SELECT fanout.create_subscription('bad', 'hole', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('bad', 'hole', NULL);
SELECT fanout.create_subscription('bad', 'hole', ARRAY['public.orders', NULL]);
SELECT count(*) FROM fanout.subscriptions WHERE name = 'bad';
-- What identifies a row: warned of where nothing does.
CREATE SCHEMA ident;
CREATE TABLE ident.keyed (id integer PRIMARY KEY);
CREATE TABLE ident.bare (id integer);
CREATE TABLE ident.deferrable (id integer PRIMARY KEY DEFERRABLE);
CREATE TABLE ident.whole (id integer);
ALTER TABLE ident.whole REPLICA IDENTITY FULL;
CREATE TABLE ident.indexed (id integer NOT NULL);
CREATE UNIQUE INDEX the_index ON ident.indexed (id);
ALTER TABLE ident.indexed REPLICA IDENTITY USING INDEX the_index;
CREATE TABLE ident.nothing (id integer PRIMARY KEY);
ALTER TABLE ident.nothing REPLICA IDENTITY NOTHING;
SELECT fanout.create_subscription('ident', 'hole', '{ident.*,ident.bare}');
SELECT table_name, identity, state, note FROM fanout.subscription_tables WHERE subscription = 'ident' ORDER BY table_name COLLATE "C";
SELECT fanout.stop_stream(drop_slot => true);
