-- Every class of value in its text form.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_types', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT data FROM pg_logical_slot_get_changes('regress_types', NULL, NULL,
        'include_xids', 'false', 'include_lsns', 'false', 'include_times', 'false') $$;
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE DOMAIN amount AS numeric(10, 2);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE typ (id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, am amount,
    d date, t time, tz timetz, ts timestamp, tstz timestamptz, iv interval, u uuid, by bytea, j json, jb jsonb,
    m mood, p pair, arr int[], tarr text[], r int4range, inet inet, bits varbit, c char(5), n63 name, x xml, money money, ch "char");
SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; SET bytea_output = 'escape'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = 0;
INSERT INTO typ VALUES (1, true, -32768, -9223372036854775808, 0.1, 0.1::float8 + 0.2::float8, 123456789012345678901234567890.0123456789, 12.5,
    '2024-02-29', '23:59:59.999999', '12:00:00+05:30', '2024-02-29 12:00:00', '2024-02-29 12:00:00+00', '1 year 2 days 3.5 s',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x0001ff', '{"a": [1, 2]}', '{"b": null}', 'it''s "ok"', (1, 'x,y'),
    '{1,NULL,3}', '{"a b","c\"d"}', '[1,5)', '10.0.0.1/8', b'1010', 'ab', 'a name', '<a>b</a>', '12.34', 'z');
INSERT INTO typ (id, f4, f8, n, d, ts, tstz) VALUES (2, 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', '4713-01-01 00:00:00+00 BC');
INSERT INTO typ (id, n, t, d) VALUES (3, 'Infinity', '24:00', '0044-03-15 BC');
SELECT * FROM pg_temp.changes();
DROP TABLE typ; DROP TYPE mood; DROP TYPE pair; DROP DOMAIN amount;
SELECT pg_drop_replication_slot('regress_types');
