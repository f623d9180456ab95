-- What is missing to run, each with the statement that mends it.

CREATE FUNCTION fanout._check_settings()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    WITH facts AS (
        SELECT f.*, array_remove(array_remove(
                regexp_split_to_array(btrim(f.plugin_libraries), '\s*,\s*'), ''), '""') AS listed,
            current_setting('wal_level') AS wal_level,
            current_setting('max_replication_slots')::integer AS slots,
            (SELECT count(*)::integer FROM pg_replication_slots) AS slots_used,
            current_setting('max_worker_processes')::integer AS workers,
            current_setting('max_wal_senders')::integer AS senders,
            (SELECT count(*) = 0 FROM fanout.stream_def) AS no_stream,
            (SELECT count(*)::integer FROM fanout._stream d
                WHERE d.enabled AND d.active_pid IS NULL) AS idle_streams
        FROM fanout._server_facts() f
    ),
    findings (item, is_fine, otherwise, detail, remedy) AS (
        SELECT 'wal_level', wal_level = 'logical', 'error', format('wal_level is %s', wal_level),
            'ALTER SYSTEM SET wal_level = logical;  -- then restart the server'
        FROM facts
        UNION ALL
        SELECT 'output_plugin_libraries', 'pg_fanout' = ANY (listed), 'error',
            format('output_plugin_libraries is "%s"', plugin_libraries),
            format('ALTER SYSTEM SET output_plugin_libraries = %s; SELECT pg_reload_conf();',
                array_to_string(listed || 'pg_fanout'::text, ', '))
        FROM facts WHERE plugin_libraries IS NOT NULL
        UNION ALL
        SELECT 'max_replication_slots', NOT no_stream OR slots_used < slots, 'error',
            format('%s of %s slots are in use', slots_used, slots),
            format('ALTER SYSTEM SET max_replication_slots = %s;  -- then restart the server; '
                'or drop a slot nobody uses', slots + 4)
        FROM facts
        UNION ALL
        SELECT 'max_worker_processes',
            workers - workers_used >= greatest(idle_streams, no_stream::integer), 'error',
            format('%s of %s background workers are in use', workers_used, workers),
            format('ALTER SYSTEM SET max_worker_processes = %s;  -- then restart the server',
                workers + 4)
        FROM facts
        UNION ALL
        SELECT 'max_wal_senders', senders > senders_used, 'warning',
            format('%s of %s are in use', senders_used, senders) || CASE
                WHEN senders > senders_used THEN ''
                ELSE '; without a free one the worker polls for new WAL' END,
            format('ALTER SYSTEM SET max_wal_senders = %s;  -- then restart the server',
                senders + 4)
        FROM facts WHERE current_setting('server_version_num')::integer < 160000
    )
    SELECT item, CASE WHEN is_fine THEN 'ok' ELSE otherwise END, detail,
        CASE WHEN NOT is_fine THEN remedy END
    FROM findings
$body$;
COMMENT ON FUNCTION fanout._check_settings() IS
    'Internal: the part of fanout.check() that looks at the server''s settings';

CREATE FUNCTION fanout._check_daemon()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT 'connectors', CASE WHEN count(*) > 0 THEN 'ok' ELSE 'error' END,
        coalesce(string_agg(c.name, ', ' ORDER BY c.name COLLATE "C"), 'none are known'),
        CASE WHEN count(*) = 0 THEN 'Start fanoutd: it registers the connectors it finds.' END
    FROM fanout.connector_def c
    UNION ALL
    SELECT 'fanoutd', CASE WHEN h.daemon_connected THEN 'ok' ELSE 'error' END,
        format('%s; last report %s',
            CASE WHEN h.daemon_connected THEN 'connected' ELSE 'not connected' END,
            coalesce(date_trunc('second', clock_timestamp() - r.last) || ' ago', 'never')),
        CASE WHEN NOT h.daemon_connected THEN format(
            'fanoutd --source "dbname=%s" --state-dir DIR  -- a command for the shell',
            current_database()) END
    FROM fanout._here h, (
        SELECT max(reports.at) AS last FROM (
            SELECT s.reported_at FROM fanout._stream_status() s
            UNION ALL SELECT s.reported_at FROM fanout._subscription_status() s) AS reports (at)) AS r
$body$;
COMMENT ON FUNCTION fanout._check_daemon() IS
    'Internal: the part of fanout.check() that looks at fanoutd and its connectors';

CREATE FUNCTION fanout._check_streams()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT format('stream %s', v.name),
        CASE WHEN v.state = 'streaming' AND d.wal_status IN ('reserved', 'extended')
            AND v.error IS NULL THEN 'ok'
            WHEN v.state IN ('streaming', 'waiting', 'stopped') THEN 'warning' ELSE 'error' END,
        v.state || coalesce(format('; slot "%s" is ', v.slot) || d.wal_status, '; it has no slot')
            || coalesce('; ' || v.error, ''),
        CASE
            WHEN v.state IN ('slot_lost', 'restored', 'stopped')
                THEN format('SELECT fanout.start_stream(%L);', v.name)
            WHEN d.wal_status = 'unreserved' THEN 'ALTER SYSTEM SET max_slot_wal_keep_size = -1; '
                'SELECT pg_reload_conf();  -- or let fanoutd catch up soon: the slot is about to '
                'lose its WAL'
            WHEN v.state = 'waiting' THEN 'See fanoutd''s log: it attaches by itself.'
            WHEN v.error LIKE 'slot_ahead:%' OR v.error LIKE 'source_rewound:%' THEN format(
                'SELECT fanout.stop_stream(%L, drop_slot => true); SELECT fanout.start_stream(%L); '
                    ' -- and create its subscriptions again', v.name, v.name)
        END
    FROM fanout.streams v JOIN fanout._stream d ON d.name = v.name
    UNION ALL
    SELECT 'stream main', 'warning', 'there is no stream yet', 'SELECT fanout.start_stream();  -- '
        'or create the first subscription'
    WHERE NOT EXISTS (SELECT FROM fanout.stream_def)
    UNION ALL
    SELECT format('slot %s', s.slot_name), 'warning', 'belongs to no stream and keeps WAL',
        format('SELECT pg_drop_replication_slot(%L);', s.slot_name)
    FROM pg_replication_slots s
    WHERE s.plugin = 'pg_fanout' AND s.database = current_database()
      AND NOT EXISTS (SELECT FROM fanout._stream d WHERE d.slot_name = s.slot_name
          AND NOT d.restored)
$body$;
COMMENT ON FUNCTION fanout._check_streams() IS
    'Internal: the part of fanout.check() that looks at streams and slots';

CREATE FUNCTION fanout._check_subscriptions()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT format('subscription %s', v.name),
        CASE WHEN v.state IN ('failed', 'needs_resync', 'denied', 'restored') THEN 'error'
            WHEN v.state IN ('retrying', 'paused', 'waiting') THEN 'warning' ELSE 'ok' END,
        v.state || CASE WHEN v.state IN ('failed', 'retrying', 'needs_resync', 'denied')
            THEN coalesce(': ' || v.last_error, '') ELSE '' END,
        CASE
            WHEN v.state = 'needs_resync' THEN format('SELECT fanout.drop_subscription(%L);  -- '
                'bring its target up to date and create it again', v.name)
            WHEN v.state IN ('paused', 'restored')
                THEN format('SELECT fanout.resume_subscription(%L);', v.name)
            WHEN v.state IN ('failed', 'denied')
                THEN format('SELECT fanout.resume_subscription(%L);%s', v.name,
                coalesce('  -- after: ' || v.last_error_hint, ''))
            WHEN v.state = 'retrying' THEN v.last_error_hint
        END
    FROM fanout.subscriptions v
    UNION ALL
    SELECT format('table %s', t.full_name), 'error',
        format('not carried: %I may not read all of it (%s)', d.owner,
            fanout._in_words(array_agg(d.name))),
        format('GRANT SELECT ON %s TO %I;', t.full_name, d.owner)
            || CASE WHEN t.row_security THEN format('  -- and, because of row-level security: '
                'ALTER ROLE %I BYPASSRLS;', d.owner) ELSE '' END
    FROM fanout.subscription_tables v
    JOIN fanout.subscription_def d ON d.name = v.subscription
    JOIN fanout._table t ON (t.schema_name, t.table_name) = (v.schema_name, v.table_name)
    WHERE v.state = 'denied'
    GROUP BY t.full_name, t.row_security, d.owner
    UNION ALL
    SELECT format('table %I.%I', v.schema_name, v.table_name), 'warning',
        format('updates and deletes arrive without a key '
            '(%s)', fanout._in_words(array_agg(v.subscription))),
        format('ALTER TABLE %I.%I REPLICA IDENTITY FULL;  -- or add a primary key', v.schema_name,
            v.table_name)
    FROM fanout.subscription_tables v
    WHERE v.state = 'carried' AND v.identity = 'none'
    GROUP BY v.schema_name, v.table_name
$body$;
COMMENT ON FUNCTION fanout._check_subscriptions() IS
    'Internal: the part of fanout.check() that looks at subscriptions and their tables';

CREATE FUNCTION fanout.check() RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN QUERY VALUES ('server', 'error', 'it is a standby: nothing is decoded here and '
            'nothing was reported', 'Ask the primary, or promote this one: SELECT pg_promote();');
        RETURN;
    END IF;
    RETURN QUERY SELECT c.* FROM fanout._check_settings() c;
    RETURN QUERY SELECT c.* FROM fanout._check_daemon() c;
    RETURN QUERY SELECT c.* FROM fanout._check_streams() c ORDER BY c.item COLLATE "C";
    RETURN QUERY SELECT c.* FROM fanout._check_schema_changes() c;
    RETURN QUERY SELECT c.* FROM fanout._check_subscriptions() c ORDER BY c.item COLLATE "C";
    RETURN QUERY SELECT c.* FROM fanout._check_backfills() c ORDER BY c.item COLLATE "C";
    RETURN QUERY SELECT c.* FROM fanout._check_filters() c ORDER BY c.item COLLATE "C";
    RETURN QUERY SELECT c.* FROM fanout._check_unsupported() c ORDER BY c.item COLLATE "C";
END
$body$;
COMMENT ON FUNCTION fanout.check() IS
    'What is missing to run: server settings, fanoutd, streams, subscriptions, their tables '
    'and backfills, each with its state (ok, warning, error) and the exact statement that mends it.';
