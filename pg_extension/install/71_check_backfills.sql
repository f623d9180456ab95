-- What copies of existing rows lack, each with the statement that mends it.

-- The role fanoutd reads with, while it is connected.
CREATE VIEW fanout._daemon_role AS
    SELECT DISTINCT a.usename AS name FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.application_name = 'fanoutd'
        AND a.usename IS NOT NULL;
COMMENT ON VIEW fanout._daemon_role IS 'Internal: the role of the fanoutd that is connected';

CREATE FUNCTION fanout._check_backfills()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    -- The tables that fanoutd may not read, or only in part.
    SELECT format('backfill of %s', t.full_name), 'error',
        format('fanoutd''s role %I may not read all of it (%s)', r.name,
            fanout._in_words(array_agg(d.name))),
        CASE WHEN has_table_privilege(r.name, t.table_oid, 'SELECT')
            THEN format('ALTER ROLE %I BYPASSRLS;  -- the table has row-level security', r.name)
            ELSE format('GRANT SELECT ON %s TO %I;', t.full_name, r.name) END
    FROM fanout._backfills() b
    JOIN fanout.subscription_def d ON d.id = b.subscription_id
    JOIN fanout._table t USING (table_oid)
    CROSS JOIN fanout._daemon_role r
    WHERE NOT b.finished AND NOT fanout._may_carry(r.name, t)
    GROUP BY t.full_name, t.table_oid, r.name
    UNION ALL
    SELECT format('backfill of %I.%I for %s', v.schema_name, v.table_name, v.subscription),
        CASE v.state WHEN 'failed' THEN 'error' ELSE 'warning' END,
        v.state || coalesce(': ' || CASE WHEN v.state IN ('failed', 'complete') THEN v.last_error
            ELSE v.detail END, ''),
        CASE v.state
            WHEN 'paused' THEN format('SELECT fanout.resume_backfill(%L);', v.subscription)
            WHEN 'cancelled' THEN format('SELECT fanout.resync(%L, %L);  -- rows may be missing '
                'at the target', v.subscription,
                ARRAY[format('%s.%s', v.schema_name, v.table_name)])
            WHEN 'failed' THEN CASE WHEN EXISTS (SELECT FROM fanout._subscription s
                    WHERE s.name = v.subscription AND s.state = 'failed')
                THEN format('SELECT fanout.resume_subscription(%L);%s', v.subscription,
                    coalesce('  -- after: ' || v.last_error_hint, ''))
                ELSE v.last_error_hint END
            ELSE v.last_error_hint
        END
    FROM fanout.backfills v
    WHERE v.state IN ('paused', 'cancelled', 'failed')
        OR v.state = 'copying' AND v.detail IS NOT NULL
        OR v.state = 'complete' AND v.last_error IS NOT NULL
    UNION ALL
    -- Large ones that cannot be read part by part.
    SELECT format('table %s', t.full_name), 'warning',
        format('it has no key and %s: its rows are copied under one snapshot, which holds up '
            'VACUUM meanwhile', pg_size_pretty(pg_relation_size(t.table_oid))),
        format('ALTER TABLE %s ADD PRIMARY KEY (...);', t.full_name)
    FROM (SELECT DISTINCT b.table_oid FROM fanout._backfills() b WHERE NOT b.finished) AS b
    JOIN fanout._table t USING (table_oid)
    WHERE pg_relation_size(t.table_oid) >= 64 * 1024 * 1024 AND NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = t.table_oid AND i.indisunique
            AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL)
    UNION ALL
    SELECT 'max_connections', 'warning',
        format('%s of %s connections are free; backfills read with some of their own', f.free,
            current_setting('max_connections')),
        'ALTER SYSTEM SET max_connections = '
            || current_setting('max_connections')::integer + 20 || ';  -- then restart the server'
    FROM (SELECT current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer
        - (SELECT count(*)::integer FROM pg_stat_activity a WHERE a.backend_type = 'client backend')
        AS free) AS f
    WHERE f.free < 8 AND EXISTS (SELECT FROM fanout._backfills() b WHERE NOT b.finished)
$body$;
COMMENT ON FUNCTION fanout._check_backfills() IS
    'Internal: the part of fanout.check() that looks at copies of existing rows';
