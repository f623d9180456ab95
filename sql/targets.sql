-- create_target, drop_target, and the view targets.
\set SHOW_CONTEXT never
SELECT fanout.create_target('lake', 'file', '{"path": "/tmp/lake.jsonl", "format": "json"}');
SELECT fanout.create_target('hole', 'blackhole', '{}');
SELECT fanout.create_target('Odd name, "quoted"', 'sqlite', '{"path": "/tmp/x.db"}');
SELECT name, connector, options, subscriptions, owner FROM fanout.targets ORDER BY name COLLATE "C";
-- Names.
SELECT fanout.create_target(NULL, 'file', '{"path": "x"}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('', 'file', '{"path": "x"}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target(repeat('n', 64), 'file', '{"path": "x"}');
SELECT fanout.create_target(E'line\nbreak', 'file', '{"path": "x"}');
SELECT fanout.create_target(repeat('n', 63), 'file', '{"path": "x"}');
SELECT fanout.drop_target(repeat('n', 63));
SELECT fanout.create_target('lake', 'file', '{"path": "x"}');
\echo :LAST_ERROR_SQLSTATE
-- The connector and its options. Their help is the connectors' own, so it is left out here.
\set VERBOSITY terse
SELECT fanout.create_target('t', 'oracle9', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('t', NULL, '{}');
SELECT fanout.create_target('t', 'file', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('t', 'file', '[]');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('t', 'file', '{"path": "x", "colour": "blue"}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('t', 'file', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('t', 'file', '{"path": 3}');
SELECT fanout.create_target('t', 'file', '{"path": null}');
SELECT fanout.create_target('t', 'file', '{"path": ["x"]}');
SELECT fanout.create_target('t', 'file', '{"path": "x", "format": "csv"}');
SELECT fanout.create_target('t', 'blackhole', '{"path": "x"}');
\set VERBOSITY default
-- Secrets: by reference only.
SELECT fanout.create_target('t', 'postgres', '{"dsn": "host=db dbname=copy password=hunter2"}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('t', 'postgres', $${"dsn": "host=db password = 'hunter 2' dbname=copy"}$$);
SELECT fanout.create_target('t', 'postgres', '{"dsn": "postgresql://me:hunter2@db/copy"}');
SELECT fanout.create_target('t', 'postgres', '{"dsn": "postgresql://db/copy?user=me&password=hunter2"}');
SELECT fanout.create_target('t', 'postgres', '{"dsn": "host=db password=${vault:x}"}');
SELECT fanout.create_target('t', 'postgres', '{"dsn": "host=db password=${env:COPY"}');
SELECT fanout.create_target('by env', 'postgres', '{"dsn": "host=db password=${env:COPY_PASSWORD}"}');
SELECT fanout.create_target('by file', 'postgres', $${"dsn": "host=db password='${file:/run/secrets/copy}'"}$$);
SELECT fanout.create_target('by url', 'postgres', '{"dsn": "postgresql://me:${credential:copy}@db/copy"}');
SELECT fanout.create_target('whole', 'postgres', '{"dsn": "${env:COPY_DSN}"}');
SELECT fanout.create_target('no password', 'postgres', '{"dsn": "host=db password='''' passfile=/etc/pass"}');
SELECT name, options FROM fanout.targets WHERE connector = 'postgres' ORDER BY name COLLATE "C";
-- An option that its connector calls secret.
SELECT fanout.report('{"connectors": [{"name": "regress", "version": "1", "summary": "for this test", "options": [
    {"name": "token", "type": "string", "default": null, "help": "Who we are.", "required": true, "secret": true, "choices": null},
    {"name": "retries", "type": "integer", "default": "3", "help": null, "required": false, "secret": false, "choices": null},
    {"name": "limit", "type": "size", "default": "1MB", "help": "How much.", "required": false, "secret": false, "choices": null},
    {"name": "mode", "type": "enum", "default": "slow", "help": "How.", "required": false, "secret": false, "choices": ["slow", "fast"]},
    {"name": "strict", "type": "boolean", "default": "false", "help": "Be strict.", "required": false, "secret": false, "choices": null}]}]}');
SELECT fanout.create_target('r', 'regress', '{}');
SELECT fanout.create_target('r', 'regress', '{"toke": "${env:TOKEN}"}');
SELECT fanout.create_target('r', 'regress', '{"token": 7}');
SELECT fanout.create_target('r', 'regress', '{"token": "hunter2"}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_target('r', 'regress', '{"token": "${env:TOKEN} and more"}');
SELECT fanout.create_target('r', 'regress', '{"token": "${env:TOKEN}", "retries": "many"}');
SELECT fanout.create_target('r', 'regress', '{"token": "${env:TOKEN}", "retries": 1.5}');
SELECT fanout.create_target('r', 'regress', '{"token": "${env:TOKEN}", "limit": "16 MiB"}');
SELECT fanout.create_target('r', 'regress', '{"token": "${env:TOKEN}", "mode": "Fast"}');
SELECT fanout.create_target('r', 'regress', '{"token": "${env:TOKEN}", "strict": "perhaps"}');
SELECT fanout.create_target('r', 'regress', '{"token": "${env:TOKEN}", "retries": 5, "limit": "16MB", "strict": true}');
SELECT options FROM fanout.targets WHERE name = 'r';
-- What became secret later is hidden.
UPDATE fanout.target_def SET options = options || '{"token": "hunter2"}' WHERE name = 'r';
SELECT options FROM fanout.targets WHERE name = 'r';
-- Dropping.
SELECT fanout.drop_target('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.drop_target(NULL);
CREATE TABLE orders (id integer PRIMARY KEY);
SELECT fanout.create_subscription('one', 'lake', '{public.orders}');
SELECT fanout.create_subscription('another', 'lake', '{public.orders}');
SELECT fanout.drop_target('lake');
\echo :LAST_ERROR_SQLSTATE
SELECT subscriptions FROM fanout.targets WHERE name = 'lake';
SELECT fanout.drop_subscription('one');
SELECT fanout.drop_subscription('another');
SELECT fanout.drop_target('lake');
SELECT fanout.drop_target('hole');
SELECT name FROM fanout.targets ORDER BY name COLLATE "C";
-- No connectors at all.
DELETE FROM fanout.connector_def;
SELECT fanout.create_target('t', 'file', '{}');
SELECT fanout.stop_stream(drop_slot => true);
