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

-- Partitions that do not say of their rows what the table above has to say.
CREATE FUNCTION fanout._check_partitioned()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT format('table %s', u.full_name), 'error',
        format('not carried as %s (%s): %s', u.above, fanout._in_words(array_agg(d.name)),
            regexp_replace(u.problem, ': ALTER TABLE.*', '')), u.remedy
    FROM fanout.subscription_def d CROSS JOIN LATERAL fanout._unfit_partitions(d.tables) AS u
    WHERE fanout._is_via_root(d.options)
    GROUP BY u.full_name, u.above, u.problem, u.remedy
$body$;
COMMENT ON FUNCTION fanout._check_partitioned() IS
    'Internal: the part of fanout.check() about partitions that are carried under another name';

-- A SELECT of a parent shows rows of its children, which are other tables' rows to a subscription.
CREATE FUNCTION fanout._check_inheritance()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT format('table %s', p.full_name), 'warning',
        format('rows of its child %I.%I are not carried (%s)', n.nspname, c.relname,
            fanout._in_words(array_agg(d.name))),
        format('Add %I.%I to the tables of the subscription: it arrives as a table of its own.',
            n.nspname, c.relname)
    FROM fanout.subscription_def d
    CROSS JOIN LATERAL fanout._carried(d.tables, fanout._is_via_root(d.options)) AS t
    JOIN fanout._table p ON p.table_oid = t.table_oid AND NOT p.is_partitioned
    JOIN pg_inherits i ON i.inhparent = p.table_oid
    JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT c.relispartition AND (fanout._carried_as(d.tables, false, c.oid)).carrier IS NULL
    GROUP BY p.full_name, n.nspname, c.relname
$body$;
COMMENT ON FUNCTION fanout._check_inheritance() IS
    'Internal: the part of fanout.check() about children of tables that are carried';
