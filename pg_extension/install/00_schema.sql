\echo Use "CREATE EXTENSION pg_fanout" to load this file. \quit

-- The install script is put together from install/*.sql in the order of their numbers, with the
-- list of connectors that the build found at the end. Everything is created schema-qualified, and
-- nothing here may depend on the search path of whoever installs it.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Roles belong to the cluster and outlive the extension: other databases may use them.
DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['fanout_admin', 'fanout_monitor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- made by another database's CREATE EXTENSION at the same moment
            END;
        END IF;
    END LOOP;
END
$roles$;

DO $schema$
BEGIN
    IF to_regnamespace('fanout') IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42P06', MESSAGE = 'schema "fanout" exists already',
            DETAIL = 'pg_fanout makes a schema of this name for itself alone.',
            HINT = 'Rename it (ALTER SCHEMA fanout RENAME TO ...) or drop it, then CREATE '
                'EXTENSION pg_fanout again.';
    END IF;
END
$schema$;
CREATE SCHEMA fanout;
COMMENT ON SCHEMA fanout IS
    'pg_fanout: delivers the changes of this database to any number of targets';
