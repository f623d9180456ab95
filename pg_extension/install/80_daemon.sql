-- What fanoutd calls: what to do, where to read, and how it went.

-- What is left to copy, and what was: fanoutd knows by its own records which is which.
CREATE FUNCTION fanout._backfill_config(def fanout.subscription_def) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT jsonb_build_object(
        'backfill', fanout._option(def.options, 'backfill'),
        'backfill_options', jsonb_strip_nulls(jsonb_build_object(
            'workers', fanout._option(def.options, 'workers'),
            'rows_per_second', fanout._option(def.options, 'rows_per_second'),
            'bytes_per_second', fanout._size_bytes(def.options -> 'bytes_per_second'),
            'chunk_bytes', fanout._size_bytes(def.options -> 'chunk_bytes'),
            'on_nonempty', fanout._option(def.options, 'on_nonempty'),
            'create_indexes', CASE
                WHEN def.options @> '{"create_indexes": true}' THEN 'any_table'
                WHEN NOT def.options ? 'create_indexes'
                    AND fanout._option(def.options, 'create_tables') = 'true' THEN 'own_tables'
                END)),
        'backfills', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'table', b.table_oid::bigint, 'schema', b.schema_name, 'name', b.table_name,
                'generation', b.generation, 'predicate', b.predicate,
                'on_nonempty', b.on_nonempty, 'paused', b.paused, 'cancelled', b.cancelled)
            ORDER BY b.schema_name, b.table_name), '[]') FROM fanout._backfills(def.id) b))
$body$;
COMMENT ON FUNCTION fanout._backfill_config(fanout.subscription_def) IS
    'Internal: the part of fanout.daemon_config() about copies of existing rows';

CREATE FUNCTION fanout.daemon_config() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT jsonb_build_object(
        'extension_version', (SELECT e.extversion FROM pg_extension e
            WHERE e.extname = 'pg_fanout'),
        'system_identifier', h.system_identifier,
        'database', current_database(),
        'database_oid', h.database_oid::bigint,
        'server_encoding', current_setting('server_encoding'),
        'streams', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', d.id, 'name', d.name, 'slot', d.slot_name, 'identity', d.identity,
                    'generation', d.generation,
                'epoch', d.epoch, 'enabled', d.enabled AND NOT d.restored, 'start_lsn', d.start_lsn,
                'slot_exists', d.slot_exists, 'confirmed_lsn', d.confirmed_flush_lsn, 'ring_bytes',
                    d.ring_bytes)
            ORDER BY d.id), '[]') FROM fanout._stream d),
        'subscriptions', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', s.id, 'name', s.name, 'stream', d.name, 'owner', s.owner, 'paused', s.paused,
                    'revision', s.revision,
                'start_lsn', s.start_lsn, 'skip_lsn', s.skip_lsn, 'options', s.options,
                    'tables', s.tables, 'filters', fanout._filters_json(s.id),
                    'skips', fanout._skips(s.id), 'redrives', fanout._redrives(s.id),
                    'on_ddl', fanout._on_ddl(s.options, t.connector),
                'target', jsonb_build_object('name', t.name, 'connector', t.connector, 'options',
                    t.options),
                'restored', (s.system_identifier, s.database_oid) IS DISTINCT
                    FROM (h.system_identifier, h.database_oid))
                || fanout._backfill_config(s)
            ORDER BY s.id), '[]')
            FROM fanout.subscription_def s
            JOIN fanout.target_def t ON t.id = s.target_id
            JOIN fanout.stream_def d ON d.id = s.stream_id))
    FROM fanout._here h
$body$;
COMMENT ON FUNCTION fanout.daemon_config() IS
    'For fanoutd: streams, subscriptions and targets as they are configured now.';

CREATE FUNCTION fanout._check_attach(def fanout._stream, start_lsn pg_lsn) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF def.restored THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('stream "%s" was restored from a dump of another database', def.name),
            HINT = format('To start it here: SELECT fanout.start_stream(%L);', def.name);
    ELSIF NOT def.enabled THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('stream "%s" is stopped', def.name),
            HINT = format('SELECT fanout.start_stream(%L);', def.name);
    ELSIF NOT def.slot_usable THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('slot_lost: replication slot "%s" of stream "%s" %s',
                def.slot_name, def.name,
                CASE WHEN def.slot_exists THEN 'has lost its WAL' ELSE 'does not exist' END),
            HINT = format('To start anew, without the changes in between: SELECT '
                'fanout.start_stream(%L);', def.name);
    ELSIF start_lsn > pg_current_wal_flush_lsn() THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('source_rewound: fanoutd has changes up to %s, '
                'this server only goes up to %s', start_lsn, pg_current_wal_flush_lsn()),
            DETAIL = 'The server was restored or failed over to an earlier point: targets hold '
                'changes that it no longer knows.',
            HINT = format('Bring the targets back to this server''s state, then SELECT '
                'fanout.stop_stream(%L, drop_slot => true); and start anew.', def.name);
    ELSIF def.confirmed_flush_lsn > start_lsn THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('slot_ahead: slot "%s" is confirmed up to %s, '
                'fanoutd has changes up to %s only', def.slot_name, def.confirmed_flush_lsn, start_lsn),
            DETAIL = 'Somebody else has read from the slot or made it anew, or fanoutd was given '
                'an older state directory.',
            HINT = format('The changes in between are lost for fanoutd. Give it the state '
                'directory it last used, or SELECT fanout.stop_stream(%L, drop_slot => true); and '
                'start anew.', def.name);
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._check_attach(fanout._stream, pg_lsn) IS
    'Internal: refuses to attach where changes would be lost or repeated';

CREATE FUNCTION fanout.attach(stream text, start_lsn pg_lsn, daemon text,
    OUT socket_path text, OUT token text, OUT worker_pid integer, OUT epoch bigint,
    OUT confirmed_lsn pg_lsn, OUT identity uuid, OUT generation integer,
    OUT system_identifier text, OUT timeline integer) RETURNS record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout._stream;
BEGIN
    IF daemon IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = 'daemon is null', HINT = 'Pass host:pid of the process that attaches.';
    END IF;
    -- Against another attach() and against stop_stream().
    PERFORM FROM fanout.stream_def d WHERE d.name = stream FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM fanout._no_stream(stream);
    END IF;
    SELECT d.* INTO def FROM fanout._stream d WHERE d.name = stream;
    PERFORM fanout._check_attach(def, start_lsn);
    UPDATE fanout.stream_def d SET epoch = d.epoch + 1 WHERE d.id = def.id
        RETURNING d.epoch, d.identity, d.generation INTO attach.epoch, attach.identity,
            attach.generation;
    SELECT w.socket_path, w.token, w.worker_pid, w.confirmed_lsn, w.system_identifier, w.timeline
        INTO attach.socket_path, attach.token, attach.worker_pid, attach.confirmed_lsn,
            attach.system_identifier, attach.timeline
        FROM fanout.launch_worker(def.slot_name, def.id, attach.epoch, attach.start_lsn,
            def.ring_bytes) w;
    INSERT INTO fanout.stream_status AS s (stream_id, state, daemon, worker_pid)
    VALUES (def.id, 'streaming', attach.daemon, attach.worker_pid)
    ON CONFLICT ON CONSTRAINT stream_status_pkey DO UPDATE
        SET state = EXCLUDED.state, error = NULL, daemon = EXCLUDED.daemon,
            worker_pid = EXCLUDED.worker_pid, reported_at = clock_timestamp();
END
$body$;
COMMENT ON FUNCTION fanout.attach(text, pg_lsn, text) IS
    'For fanoutd: starts the decoding worker of a stream and tells where it listens. start_lsn is '
    'how far the journal is durable, null if it is empty. Refuses where changes would be missed: '
    'slot_lost, slot_ahead, source_rewound.';

-- An entry about a table replaces the one before. The pace is smoothed over some seconds, and
-- starts anew with each generation.
CREATE FUNCTION fanout._report_backfills(sub integer, entries jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
    INSERT INTO fanout.backfill_status AS s (subscription_id, table_oid, schema_name, table_name,
        generation, state, mode, rows_done, bytes_done, rows_estimate, bytes_estimate, chunks,
        retries, started_at, finished_at, snapshot_held_seconds, detail, last_error,
        last_error_hint, reported_at, rows_per_second)
    SELECT sub, e."table", e.schema, e.name, e.generation, e.state, e.mode, coalesce(e.rows, 0),
        coalesce(e.bytes, 0), e.rows_estimate, e.bytes_estimate, coalesce(e.chunks, 0),
        coalesce(e.retries, 0), e.started_at, e.finished_at, e.snapshot_held_seconds, e.detail,
        e.last_error, e.last_error_hint, clock_timestamp(), pace.rows_per_second
    FROM jsonb_to_recordset(entries) AS e ("table" oid, schema text, name text,
        generation integer, state text, mode text, rows bigint, bytes bigint,
        rows_estimate bigint, bytes_estimate bigint, chunks bigint, retries bigint,
        started_at timestamptz, finished_at timestamptz, snapshot_held_seconds double precision,
        detail text, last_error text, last_error_hint text)
    LEFT JOIN fanout.backfill_status old
        ON (old.subscription_id, old.table_oid, old.generation) = (sub, e."table", e.generation)
    CROSS JOIN LATERAL (SELECT extract(epoch FROM clock_timestamp()
            - coalesce(old.reported_at, e.started_at, clock_timestamp()))::double precision)
        AS passed (seconds)
    CROSS JOIN LATERAL (SELECT CASE
        WHEN e.state <> 'copying' THEN NULL
        WHEN passed.seconds <= 0 THEN old.rows_per_second
        WHEN old.rows_per_second IS NULL
            THEN greatest(e.rows - coalesce(old.rows_done, 0), 0) / passed.seconds
        ELSE old.rows_per_second + (1 - exp(-passed.seconds / 5))
            * (greatest(e.rows - old.rows_done, 0) / passed.seconds - old.rows_per_second)
        END) AS pace (rows_per_second)
    WHERE jsonb_typeof(entries) = 'array'
        AND EXISTS (SELECT FROM fanout.subscription_def d WHERE d.id = sub)
    ON CONFLICT ON CONSTRAINT backfill_status_pkey DO UPDATE
        SET (schema_name, table_name, generation, state, mode, rows_done, bytes_done,
            rows_estimate, bytes_estimate, chunks, retries, started_at, finished_at,
            snapshot_held_seconds, detail, last_error, last_error_hint, reported_at,
            rows_per_second)
          = (EXCLUDED.schema_name, EXCLUDED.table_name, EXCLUDED.generation, EXCLUDED.state,
            EXCLUDED.mode, EXCLUDED.rows_done, EXCLUDED.bytes_done, EXCLUDED.rows_estimate,
            EXCLUDED.bytes_estimate, EXCLUDED.chunks, EXCLUDED.retries, EXCLUDED.started_at,
            EXCLUDED.finished_at, EXCLUDED.snapshot_held_seconds, EXCLUDED.detail,
            EXCLUDED.last_error, EXCLUDED.last_error_hint, EXCLUDED.reported_at,
            EXCLUDED.rows_per_second)
$body$;
COMMENT ON FUNCTION fanout._report_backfills(integer, jsonb) IS
    'Internal: the part of fanout.report() about copies of existing rows';

-- Fields that are missing keep their value, fields that are null become null.
CREATE FUNCTION fanout._report_subscription(entry jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    sub integer := (entry ->> 'id')::integer;
    old fanout.subscription_status;
BEGIN
    INSERT INTO fanout.subscription_status (subscription_id)
    SELECT d.id FROM fanout.subscription_def d
    WHERE d.id = sub AND NOT EXISTS (SELECT FROM fanout.subscription_status s
        WHERE s.subscription_id = sub)
    ON CONFLICT DO NOTHING;
    SELECT s.* INTO old FROM fanout.subscription_status s WHERE s.subscription_id = sub FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;  -- dropped meanwhile
    END IF;
    UPDATE fanout.subscription_status s
    SET (state, cursor_lsn, cursor_end_lsn, cursor_time, caught_up, rows_read, rows_delivered,
        rows_filtered,
         rows_dead_lettered, transactions, retries, last_error, last_error_hint, last_error_at,
             stopped_lsn, reported_at)
      = (n.state, n.cursor_lsn, n.cursor_end_lsn, n.cursor_time, n.caught_up, n.rows_read,
          n.rows_delivered, n.rows_filtered,
         n.rows_dead_lettered, n.transactions, n.retries, n.last_error, n.last_error_hint,
             n.last_error_at, n.stopped_lsn, clock_timestamp())
    FROM jsonb_populate_record(old, entry - '{tables, backfills}'::text[]) AS n
    WHERE s.subscription_id = sub;
    INSERT INTO fanout.subscription_table_status AS t (subscription_id, table_oid, schema_name,
        table_name, identity, rows_delivered, note)
    SELECT sub, e.oid, e.schema, e.name, e.identity, coalesce(e.rows_delivered, 0), e.note
    FROM jsonb_to_recordset(coalesce(entry -> 'tables', '[]'))
        AS e (oid oid, schema text, name text, identity text, rows_delivered bigint, note text)
    ON CONFLICT ON CONSTRAINT subscription_table_status_pkey DO UPDATE
        SET schema_name = EXCLUDED.schema_name, table_name = EXCLUDED.table_name,
            identity = EXCLUDED.identity,
            rows_delivered = EXCLUDED.rows_delivered, note = EXCLUDED.note;
    PERFORM fanout._report_backfills(sub, entry -> 'backfills');
END
$body$;
COMMENT ON FUNCTION fanout._report_subscription(jsonb) IS
    'Internal: the part of fanout.report() about one subscription';

CREATE FUNCTION fanout._report_stream(entry jsonb, daemon text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    stream integer := (entry ->> 'id')::integer;
    old fanout.stream_status;
BEGIN
    INSERT INTO fanout.stream_status (stream_id)
    SELECT d.id FROM fanout.stream_def d
    WHERE d.id = stream AND NOT EXISTS (SELECT FROM fanout.stream_status s
        WHERE s.stream_id = stream)
    ON CONFLICT DO NOTHING;
    SELECT s.* INTO old FROM fanout.stream_status s WHERE s.stream_id = stream FOR UPDATE;
    UPDATE fanout.stream_status s
    SET (state, error, journal_bytes, journal_first_lsn, journal_durable_lsn, worker_pid, daemon,
        reported_at)
      = (n.state, n.error, n.journal_bytes, n.journal_first_lsn, n.journal_durable_lsn,
          n.worker_pid,
         coalesce(_report_stream.daemon, old.daemon), clock_timestamp())
    FROM jsonb_populate_record(old, entry) AS n
    WHERE s.stream_id = stream;
END
$body$;
COMMENT ON FUNCTION fanout._report_stream(jsonb, text) IS
    'Internal: the part of fanout.report() about one stream';

CREATE FUNCTION fanout.report(status jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM fanout._require_object('contents of the report', status);
    -- In the order of their ids, so that two reports at once cannot deadlock.
    PERFORM fanout._report_stream(e, status ->> 'daemon')
        FROM (SELECT e FROM jsonb_array_elements(coalesce(status -> 'streams', '[]')) AS e
            ORDER BY (e ->> 'id')::integer) AS sorted;
    PERFORM fanout._report_subscription(e), fanout._report_dead_letters(e),
            fanout._keep_sequences_ahead((e ->> 'id')::integer)
        FROM (SELECT e FROM jsonb_array_elements(coalesce(status -> 'subscriptions', '[]')) AS e
            ORDER BY (e ->> 'id')::integer) AS sorted;
    INSERT INTO fanout.connector_def AS c (name, version, summary, capabilities, options)
    SELECT e.name, coalesce(e.version, ''), coalesce(e.summary, ''), coalesce(e.capabilities, '{}'),
        coalesce(e.options, '[]')
    FROM jsonb_to_recordset(coalesce(status -> 'connectors', '[]'))
        AS e (name text, version text, summary text, capabilities text[], options jsonb)
    ON CONFLICT ON CONSTRAINT connector_def_pkey DO UPDATE
        SET version = EXCLUDED.version, summary = EXCLUDED.summary,
            capabilities = EXCLUDED.capabilities, options = EXCLUDED.options
        WHERE (c.version, c.summary, c.capabilities, c.options)
            IS DISTINCT FROM (EXCLUDED.version, EXCLUDED.summary, EXCLUDED.capabilities,
                EXCLUDED.options);
END
$body$;
COMMENT ON FUNCTION fanout.report(jsonb) IS
    'For fanoutd: takes its report about streams, subscriptions and connectors. What a report '
    'leaves out stays as it was.';
