-- A server that is not set up (see tests/regress/check_unready.conf): every error names its remedy.
\set SHOW_CONTEXT never
\pset format unaligned
CREATE TABLE orders (id integer PRIMARY KEY);
SELECT item, state, detail, remedy FROM fanout.check() WHERE item <> 'connectors';
SELECT fanout.start_stream();
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('hole', 'blackhole', '{}');
SELECT fanout.create_subscription('s', 'hole', '{public.orders}');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM fanout.streams;
SELECT count(*) FROM fanout.subscriptions;
SELECT count(*) FROM pg_replication_slots;
