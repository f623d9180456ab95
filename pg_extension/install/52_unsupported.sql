-- What the patterns of subscriptions name and cannot be carried, with the reason.

CREATE FUNCTION fanout._check_unsupported()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    WITH named AS (
        SELECT n.nspname, c.relname, c.relkind, c.oid, s.name AS subscription
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN fanout.subscription_def s
        WHERE (c.relkind IN ('m', 'f') OR c.relkind = 'r' AND c.relpersistence = 'u')
          AND n.nspname <> ALL ('{pg_catalog, information_schema, pg_toast, fanout}')
          AND (fanout._carried_as(s.tables, false, c.oid)).carrier IS NOT NULL
    )
    SELECT format('%s %I.%I', CASE relkind WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' ELSE 'unlogged table' END, nspname, relname), 'warning',
        format('not carried (%s): %s', fanout._in_words(array_agg(subscription::text)), CASE relkind
            WHEN 'm' THEN 'its rows are computed from other tables'
            WHEN 'f' THEN 'its rows are on another server'
            ELSE 'its changes are not in the WAL' END),
        CASE relkind
            WHEN 'm' THEN 'Carry the tables it is made of, or leave it out of the patterns.'
            WHEN 'f' THEN 'Carry it from the server that has it, or leave it out of the patterns.'
            ELSE format('ALTER TABLE %I.%I SET LOGGED;  -- rows it has by then are not copied',
                nspname, relname) END
    FROM named GROUP BY nspname, relname, relkind
$body$;
COMMENT ON FUNCTION fanout._check_unsupported() IS
    'Internal: the part of fanout.check() about what patterns name and nobody can carry';
