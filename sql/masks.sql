-- Masks of columns: which are refused, what they give, and who may see the secret.
\set SHOW_CONTEXT never
SELECT fanout.create_target('copy', 'sqlite', '{"path": "/tmp/copy.db"}');
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email varchar(100), short varchar(6), card text,
    born date, score numeric(6,2), code char(5), file bytea, doc jsonb, ref uuid,
    loud text GENERATED ALWAYS AS (upper(email)) STORED);
CREATE FUNCTION pg_temp.masked(masks text) RETURNS void LANGUAGE sql AS
    $$ SELECT fanout._check_entries(ARRAY[format('{"table": "public.people", "masks": %s}', masks)]) $$;
SELECT count(*) FROM fanout.mask_secret;
SELECT fanout.create_subscription('people', 'copy', ARRAY['{"table": "public.people", "masks": {"name": "redact",
    "email": "hash", "loud": "hash", "card": "last4", "born": "null", "score": "redact", "ref": "hash"}}']);
SELECT subscription, table_name, columns, masks, problem FROM fanout.subscription_filters;
SELECT s -> 'filters' -> 0 -> 'masks' ->> 'card' AS card FROM jsonb_array_elements(fanout.daemon_config() -> 'subscriptions') AS s;
SELECT count(*), min(octet_length(secret)) FROM fanout.mask_secret;
-- one secret for all
SELECT secret AS before FROM fanout.mask_secret \gset
SELECT fanout.create_subscription('again', 'copy', ARRAY['{"table": "public.people", "columns": ["id", "name"], "masks": {"name": "hash"}}']);
SELECT secret = :'before' AS kept FROM fanout.mask_secret;
-- refused
SELECT pg_temp.masked('{"id": "redact"}');
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.masked('{"id": "hash"}');
SELECT pg_temp.masked('{"name": "null"}');
SELECT pg_temp.masked('{"nothing": "null"}');
SELECT pg_temp.masked('{"email": "shuffle"}');
SELECT pg_temp.masked('{"email": 4}');
SELECT pg_temp.masked('{}');
SELECT pg_temp.masked('["email"]');
SELECT pg_temp.masked('{"score": "hash"}');
SELECT pg_temp.masked('{"short": "hash"}');
SELECT pg_temp.masked('{"short": "last4"}');
SELECT pg_temp.masked('{"code": "hash"}');
SELECT pg_temp.masked('{"born": "last4"}');
SELECT pg_temp.masked('{"email": "hash"}');
SELECT fanout._check_entries(ARRAY['{"table": "public.people", "columns": ["id"], "masks": {"email": "hash"}}']);
-- a generated column may stay away, or be masked like its source
SELECT fanout._check_entries(ARRAY['{"table": "public.people", "columns": ["id", "email"], "masks": {"email": "hash"}}']);
-- what they give: the type stays
CREATE TABLE v AS SELECT 'Zoë'::text AS t, 'Zoë'::varchar(2) AS v2, 'a'::char(2) AS c2, 7::smallint AS i2, 7 AS i4, 7::bigint AS i8,
    7.5::real AS f4, 7.5::float8 AS f8, 7.25::numeric(6,2) AS n, true AS b, date '2020-02-02' AS d, timestamp '2020-02-02' AS ts,
    timestamptz '2020-02-02 UTC' AS tz, '\x01'::bytea AS bytes, '[1]'::json AS j, '[1]'::jsonb AS jb, gen_random_uuid() AS u;
SET TimeZone = 'UTC';
SELECT format('SELECT %s FROM v', string_agg(format('fanout._mask(%I, ''redact'', %s, NULL) AS %1$I', attname, atttypmod), ', ' ORDER BY attnum))
    FROM pg_attribute WHERE attrelid = 'v'::regclass AND attnum > 0 \gset redacted_
\x on
:redacted_format;
\x off
SELECT value, fanout._mask(value, 'last4', -1, NULL) FROM (VALUES ('4111 1111 1111 1234'), ('12345678'), ('123456789'), (''), (NULL), ('Ålesund–Örebro')) AS v (value);
SELECT fanout._mask(t, 'null', -1, NULL) IS NULL AS nothing FROM v;
-- RFC 4231, test cases 1 and 2
SELECT fanout._mask('\x4869205468657265'::bytea, 'hash', -1, decode(repeat('0b', 20), 'hex'));
SELECT fanout._mask('what do ya want for nothing?'::text, 'hash', -1, 'Jefe'::bytea);
SELECT fanout._mask('77686174-2064-6f20-7961-2077616e7420'::uuid, 'hash', -1, 'Jefe'::bytea) = substr(encode(
    fanout._mask('\x7768617420646f2079612077616e7420'::bytea, 'hash', -1, 'Jefe'::bytea), 'hex'), 1, 32)::uuid AS same;
SELECT fanout._mask('a'::text, 'hash', -1, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout._mask(1, 'hash', -1, 'x');
SELECT fanout._mask(1, 'none', -1, 'x');
-- only administrators know the secret
CREATE ROLE looker IN ROLE fanout_monitor;
SET ROLE looker;
SELECT secret FROM fanout.mask_secret;
SELECT masks FROM fanout.subscription_filters WHERE subscription = 'again';
RESET ROLE;
DROP ROLE looker;
-- a table that changes so that the mask does not fit any more
ALTER TABLE people ALTER COLUMN born SET NOT NULL;
SELECT item, detail, remedy FROM fanout.check() WHERE item LIKE 'table%';
SELECT fanout.drop_subscription(name) FROM (SELECT name FROM fanout.subscriptions ORDER BY name) AS s;
SELECT fanout.stop_stream(drop_slot => true);
