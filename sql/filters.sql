-- Subscriptions that choose rows and columns, and what is borrowed from a publication.
\set SHOW_CONTEXT never
SELECT fanout.create_target('copy', 'sqlite', '{"path": "/tmp/copy.db"}');
CREATE TABLE orders (id int PRIMARY KEY, tenant int, total numeric, card text);
ALTER TABLE orders REPLICA IDENTITY FULL;
CREATE TABLE plain (id int PRIMARY KEY);
SELECT fanout.create_subscription('one', 'copy', ARRAY['public.plain',
    '{"table": "public.orders", "where": "tenant = 1", "columns": ["id", "tenant", "total"]}']);
SELECT fanout.create_subscription('rest', 'copy', ARRAY['public.*', '{"table": "public.orders", "where": "tenant <> 1"}']);
SELECT * FROM fanout.subscription_filters ORDER BY 1;
SELECT subscription, table_name, identity, state FROM fanout.subscription_tables ORDER BY 1, 2;
SELECT s ->> 'name' AS name, s -> 'filters' -> 0 ->> 'predicate' AS predicate, s -> 'filters' -> 0 -> 'columns' AS columns,
    jsonb_array_length(s -> 'filters') AS filters
FROM jsonb_array_elements(fanout.daemon_config() -> 'subscriptions') AS s ORDER BY 1;
-- refused at creation
SELECT fanout.create_subscription('bad', 'copy', ARRAY['{"table": "public.orders", "where": "tenant = random()"}']);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('bad', 'copy', ARRAY['{"table": "public.orders", "columns": ["tenant"]}']);
SELECT fanout.create_subscription('bad', 'copy', ARRAY['{"table": "public.nothing", "where": "true"}']);
SELECT fanout.create_subscription('bad', 'copy', ARRAY['{"table": "public.orders", "where": 5}']);
SELECT fanout.create_subscription('bad', 'copy', ARRAY['public.orders', '{"table": "public.orders", "where": "true"}']);
ALTER TABLE orders REPLICA IDENTITY DEFAULT;
SELECT fanout.create_subscription('bad', 'copy', ARRAY['{"table": "public.orders", "where": "total > 5"}']);
\echo :LAST_ERROR_SQLSTATE
-- a table that no longer fits is named, with what to do
SELECT item, state, detail, remedy FROM fanout.check() WHERE item LIKE 'table%' ORDER BY detail;
ALTER TABLE orders DROP COLUMN tenant;
SELECT subscription, predicate, problem FROM fanout.subscription_filters ORDER BY 1;
-- publications
SET client_min_messages = error;
CREATE SCHEMA other;
CREATE PUBLICATION p FOR TABLE orders (id, total) WHERE (id > 5), plain;
CREATE PUBLICATION p2 FOR TABLE orders WHERE (id > 5), TABLES IN SCHEMA other;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE PUBLICATION nothing;
RESET client_min_messages;
SELECT fanout.publication_tables('p');
SELECT fanout.publication_tables('p2');
SELECT fanout.publication_tables('everything');
SELECT fanout.publication_tables('nothing');
SELECT fanout.publication_tables('p3');
\echo :LAST_ERROR_SQLSTATE
-- nothing to skip
SELECT fanout.skip('one');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.skip('nobody');
SELECT fanout.drop_subscription(name) FROM (SELECT name FROM fanout.subscriptions ORDER BY name) AS s;
DROP PUBLICATION p, p2, everything, nothing;
SELECT fanout.stop_stream(drop_slot => true);
