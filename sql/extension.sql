-- What CREATE EXTENSION makes, what it refuses, and what DROP EXTENSION leaves.
\set SHOW_CONTEXT never
CREATE SCHEMA fanout;
CREATE EXTENSION pg_fanout;
\echo :LAST_ERROR_SQLSTATE
DROP SCHEMA fanout;
CREATE EXTENSION pg_fanout;
SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'pg_fanout';
SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname LIKE 'fanout%' ORDER BY rolname;
-- Everything a user meets has a comment.
SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'fanout'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'fanout'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'fanout'::regnamespace AND c.relkind = 'v' AND c.relname NOT LIKE '\_%'
      AND a.attnum > 0 AND col_description(a.attrelid, a.attnum) IS NULL;
-- Nothing is for everybody, and no function depends on its caller's search path.
SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'fanout'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE');
SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'fanout'::regnamespace AND has_table_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, DELETE');
SELECT has_schema_privilege('public', 'fanout', 'USAGE, CREATE');
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace = 'fanout'::regnamespace AND l.lanname <> 'c'
      AND 'search_path=pg_catalog, pg_temp' <> ALL (coalesce(p.proconfig, '{}'));
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'fanout'::regnamespace AND p.prosecdef;
-- The surface.
\pset format unaligned
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') RETURNS ' || pg_get_function_result(p.oid) AS function
    FROM pg_proc p WHERE p.pronamespace = 'fanout'::regnamespace AND p.proname NOT LIKE '\_%' ORDER BY p.proname COLLATE "C";
SELECT c.relname AS view FROM pg_class c
    WHERE c.relnamespace = 'fanout'::regnamespace AND c.relkind = 'v' AND c.relname NOT LIKE '\_%' ORDER BY c.relname COLLATE "C";
\pset format aligned
-- Connectors came with the build.
SELECT name, builtin FROM fanout.connectors WHERE name IN ('blackhole', 'file', 'postgres', 'sqlite', 'stdout') ORDER BY name COLLATE "C";
SELECT o ->> 'name' AS option, o ->> 'type' AS type, o ->> 'required' AS required
    FROM fanout.connectors c, jsonb_array_elements(c.options) AS o
    WHERE (c.name, o ->> 'name') IN (('file', 'path'), ('file', 'format'), ('sqlite', 'path'), ('postgres', 'dsn'))
    ORDER BY c.name COLLATE "C", 1;
DROP EXTENSION pg_fanout;
SELECT to_regnamespace('fanout') IS NULL AS gone;
SELECT rolname FROM pg_roles WHERE rolname LIKE 'fanout%' ORDER BY rolname;
-- Once more, with the roles there.
CREATE EXTENSION pg_fanout;
DROP EXTENSION pg_fanout;
