-- check(): what is missing, and what mends it.
\set SHOW_CONTEXT never
\pset format unaligned
CREATE SCHEMA app;
CREATE TABLE app.orders (id integer PRIMARY KEY);
CREATE TABLE app.bare (id integer);
SELECT * FROM fanout.check() WHERE item <> 'connectors';
SELECT fanout.create_target('hole', 'blackhole', '{}');
CREATE ROLE regress_reader IN ROLE fanout_admin;
GRANT USAGE ON SCHEMA app TO regress_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO regress_reader;
SELECT fanout.start_stream();
SET ROLE regress_reader;
SELECT fanout.create_subscription('reader', 'hole', '{app.*}');
RESET ROLE;
SELECT fanout.create_subscription('all', 'hole', '{app.*}');
SELECT item, state, detail, remedy FROM fanout.check() WHERE item ~ '^(stream|subscription|table|slot)';
-- A right that was taken away, and row-level security that came.
CREATE TABLE app."New" (id integer PRIMARY KEY);
REVOKE SELECT ON app.orders FROM regress_reader;
ALTER TABLE app.bare ENABLE ROW LEVEL SECURITY;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item ~ '^table';
SELECT subscription, table_name, identity, state, note FROM fanout.subscription_tables ORDER BY subscription COLLATE "C", table_name COLLATE "C";
-- The remedies mend it.
GRANT SELECT ON app."New" TO regress_reader;
GRANT SELECT ON app.orders TO regress_reader;
ALTER ROLE regress_reader BYPASSRLS;
ALTER TABLE app.bare REPLICA IDENTITY FULL;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item ~ '^table';
-- fanoutd, failures, stops.
SET application_name = 'fanoutd';
SELECT item, state, split_part(detail, ';', 1) AS detail, remedy FROM fanout.check() WHERE item = 'fanoutd';
SELECT fanout.report(jsonb_build_object('streams', jsonb_build_array(jsonb_build_object('id', d.id, 'state', 'failed', 'error', 'slot_ahead: made up')),
    'subscriptions', (SELECT jsonb_agg(jsonb_build_object('id', s.id, 'state', CASE s.name WHEN 'all' THEN 'failed' ELSE 'retrying' END,
        'last_error', 'disk full', 'last_error_hint', 'Make room.')) FROM fanout.subscription_def s))) FROM fanout.stream_def d;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item ~ '^(stream|subscription)';
SELECT fanout.pause_subscription('reader');
SELECT fanout.stop_stream();
SELECT item, state, detail, remedy FROM fanout.check() WHERE item ~ '^(stream|subscription)';
-- The list of allowed output plugins is extended, never replaced.
SET output_plugin_libraries = pgoutput, wal2json;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item = 'output_plugin_libraries';
SET output_plugin_libraries = '';
SELECT item, state, detail, remedy FROM fanout.check() WHERE item = 'output_plugin_libraries';
RESET output_plugin_libraries;
-- A role that may only look sees the same.
GRANT fanout_monitor TO regress_reader;
SELECT string_agg(item || ' ' || state, ', ') AS seen FROM fanout.check() \gset
SET ROLE regress_reader;
SELECT string_agg(item || ' ' || state, ', ') = :'seen' AS same FROM fanout.check();
RESET ROLE;
SELECT fanout.drop_subscription('reader');
SELECT fanout.drop_subscription('all');
SELECT fanout.stop_stream(drop_slot => true);
DROP SCHEMA app CASCADE;
DROP ROLE regress_reader;
