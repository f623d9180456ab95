-- A large value piece by piece: what the stream carries of it, whatever its type and storage.
\set SHOW_CONTEXT never
CREATE TABLE v (id int PRIMARY KEY, t text, x text, b bytea, j jsonb, js json, a int[], c char(300000), m xml, n int);
ALTER TABLE v ALTER x SET STORAGE EXTERNAL;
INSERT INTO v SELECT 1, s, s, convert_to(s, 'UTF8'), jsonb_build_object('s', s), json_build_object('s', s),
    (SELECT array_agg(i) FROM generate_series(1, 50000) i), 'žluťoučký', xmlparse(content '<a>' || s || '</a>'), 7
    FROM (SELECT repeat('žluťoučký kůň € ', 20000) AS s) AS s;
INSERT INTO v VALUES (2, '', '', '', '{}', '{}', '{}', '', '', 7), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE FUNCTION pg_temp.whole(pieces bytea[]) RETURNS text LANGUAGE sql AS
    $$ SELECT convert_from(string_agg(p, '' ORDER BY n), 'UTF8') FROM unnest(pieces) WITH ORDINALITY AS u (p, n) $$;
SELECT id, octet_length(t), pg_column_size(t) < octet_length(t) AS compressed, pg_column_size(x) AS x_stored,
    fanout._stored_bytes(t) AS t, fanout._stored_bytes(x) AS x, fanout._stored_bytes(b) AS b, fanout._stored_bytes(c) AS c
    FROM v ORDER BY id;
SELECT id, pg_temp.whole(ARRAY(SELECT fanout._pieces(t, 1000))) IS NOT DISTINCT FROM t AS t,
    pg_temp.whole(ARRAY(SELECT fanout._pieces(x, 1000))) IS NOT DISTINCT FROM x AS x,
    pg_temp.whole(ARRAY(SELECT fanout._pieces(b, 1001))) IS NOT DISTINCT FROM convert_from(b, 'UTF8') AS b,
    pg_temp.whole(ARRAY(SELECT fanout._pieces(j, 100000))) IS NOT DISTINCT FROM j::text AS j,
    pg_temp.whole(ARRAY(SELECT fanout._pieces(js, 100000))) IS NOT DISTINCT FROM js::text AS js,
    pg_temp.whole(ARRAY(SELECT fanout._pieces(a, 4096))) IS NOT DISTINCT FROM a::text AS a,
    pg_temp.whole(ARRAY(SELECT fanout._pieces(c, 4096))) IS NOT DISTINCT FROM CASE WHEN id < 3 THEN format('%s', c) END AS c,
    pg_temp.whole(ARRAY(SELECT fanout._pieces(m, 4096))) IS NOT DISTINCT FROM m::text AS m
    FROM v ORDER BY id;
-- a piece is never longer, and only the last one shorter
SELECT id, count(*), max(octet_length(p)), min(octet_length(p)) FROM v, fanout._pieces(x, 100000) p GROUP BY id ORDER BY id;
SELECT id, count(*), max(octet_length(p)), min(octet_length(p)) FROM v, fanout._pieces(j, 1000000) p GROUP BY id ORDER BY id;
SELECT string_agg(convert_from(p, 'UTF8'), '') AS shown FROM fanout._pieces('192.168.0.1/24'::inet, 4) p;
SELECT string_agg(convert_from(p, 'UTF8'), '') AS shown FROM fanout._pieces('[1,2)'::int4range, 4) p;
-- only what has a variable length
SELECT fanout._stored_bytes(n) FROM v;
\echo :LAST_ERROR_SQLSTATE
SELECT fanout._pieces(n, 100) FROM v;
\echo :LAST_ERROR_SQLSTATE
SELECT fanout._pieces(t, 0) FROM v;
\echo :LAST_ERROR_SQLSTATE
DROP TABLE v;
