-- What a person looks at. Lags come from the slot where the last report said "caught up": an idle
-- fanoutd does not report, while the slot moves on silently.

CREATE VIEW fanout.connectors AS
    SELECT c.name, c.version, c.summary, c.capabilities, c.options, c.builtin
        FROM fanout.connector_def c;
COMMENT ON VIEW fanout.connectors IS 'Kinds of targets there are, and the options each takes';
COMMENT ON COLUMN fanout.connectors.name IS 'Name to give to fanout.create_target()';
COMMENT ON COLUMN fanout.connectors.version IS 'Version of the connector';
COMMENT ON COLUMN fanout.connectors.summary IS 'What it delivers to, in a line';
COMMENT ON COLUMN fanout.connectors.capabilities IS
    'target_cursor: keeps its position in the target (exactly once); create_tables: can create '
    'missing tables; messages: delivers logical messages';
COMMENT ON COLUMN fanout.connectors.options IS
    'Options of its targets: name, type, default, help, required, secret, choices';
COMMENT ON COLUMN fanout.connectors.builtin IS
    'Came with this build; otherwise registered by a fanoutd';

-- Options are shown as given, but for secret ones that are no reference (kept before the connector
-- called them secret). A function, so that the planner does not take the view for expensive and
-- compile it.
CREATE FUNCTION fanout._shown_options(connector text, options jsonb) RETURNS jsonb
LANGUAGE sql STABLE COST 10 SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(jsonb_object_agg(o.key, CASE
            WHEN fanout._is_reference(o.value #>> '{}') THEN o.value
            WHEN fanout._has_inline_password(o.value #>> '{}') OR EXISTS (
                SELECT FROM fanout.connector_def c, jsonb_array_elements(c.options) AS s
                WHERE c.name = connector AND s ->> 'name' = o.key AND (s ->> 'secret')::boolean)
            THEN '"********"' ELSE o.value END), '{}')
    FROM jsonb_each(options) AS o
$body$;
COMMENT ON FUNCTION fanout._shown_options(text, jsonb) IS
    'Internal: a target''s options without secrets';

CREATE VIEW fanout.targets AS
    SELECT t.name, t.connector, fanout._shown_options(t.connector, t.options) AS options,
        ARRAY(SELECT s.name FROM fanout.subscription_def s WHERE s.target_id = t.id
            ORDER BY s.name) AS subscriptions,
        t.owner, t.created_at
    FROM fanout.target_def t;
COMMENT ON VIEW fanout.targets IS 'Named targets; secrets are not shown';
COMMENT ON COLUMN fanout.targets.name IS 'Name of the target';
COMMENT ON COLUMN fanout.targets.connector IS 'Its connector, see fanout.connectors';
COMMENT ON COLUMN fanout.targets.options IS
    'Options as given; a secret shows its reference, never its value';
COMMENT ON COLUMN fanout.targets.subscriptions IS 'Subscriptions that deliver to it';
COMMENT ON COLUMN fanout.targets.owner IS 'Who created it';
COMMENT ON COLUMN fanout.targets.created_at IS 'When it was created';

CREATE VIEW fanout.streams AS
    SELECT d.name, CASE
            WHEN pg_is_in_recovery() THEN 'standby'
            WHEN d.restored THEN 'restored'
            WHEN NOT d.enabled AND (d.slot_usable OR NOT d.slot_exists) THEN 'stopped'
            WHEN NOT d.slot_usable THEN 'slot_lost'
            WHEN d.active_pid IS NOT NULL THEN 'streaming'
            WHEN s.state = 'failed' THEN 'failed'
            ELSE 'waiting'
        END AS state,
        d.slot_name AS slot, d.active_pid AS worker_pid, d.restart_lsn,
            d.confirmed_flush_lsn AS confirmed_lsn,
        greatest(fanout._wal_position() - d.restart_lsn, 0)::bigint AS retained_wal_bytes,
        s.journal_bytes, s.error, s.daemon, d.epoch, d.generation
    FROM fanout._stream d LEFT JOIN fanout._stream_status() s ON s.stream_id = d.id;
COMMENT ON VIEW fanout.streams IS 'Streams: each reads the WAL once, through one replication slot';
COMMENT ON COLUMN fanout.streams.name IS 'Name of the stream';
COMMENT ON COLUMN fanout.streams.state IS
    'streaming: a worker decodes; waiting: no worker yet, fanoutd attaches it; stopped: by '
    'fanout.stop_stream(); failed: see error; slot_lost: the slot was dropped or has lost its WAL; '
    'restored: came with a dump; standby: this server is one, ask the primary';
COMMENT ON COLUMN fanout.streams.slot IS 'Its replication slot';
COMMENT ON COLUMN fanout.streams.worker_pid IS 'Process of the decoding worker';
COMMENT ON COLUMN fanout.streams.restart_lsn IS 'WAL from here on is kept for the stream';
COMMENT ON COLUMN fanout.streams.confirmed_lsn IS 'Everything before is safe in fanoutd''s journal';
COMMENT ON COLUMN fanout.streams.retained_wal_bytes IS 'WAL kept for the stream, in bytes';
COMMENT ON COLUMN fanout.streams.journal_bytes IS
    'Size of fanoutd''s journal, in bytes, as last reported';
COMMENT ON COLUMN fanout.streams.error IS 'What went wrong, as last reported';
COMMENT ON COLUMN fanout.streams.daemon IS 'The fanoutd that last reported, host:pid';
COMMENT ON COLUMN fanout.streams.epoch IS
    'Attachments so far; a target refuses a writer with an older one';
COMMENT ON COLUMN fanout.streams.generation IS 'Slots the stream has had';

CREATE VIEW fanout._subscription AS
    SELECT d.id, d.name, st.name AS stream, t.name AS target, t.connector, CASE
            WHEN pg_is_in_recovery() THEN 'standby'
            WHEN (d.system_identifier, d.database_oid)
                IS DISTINCT FROM (h.system_identifier, h.database_oid) THEN 'restored'
            WHEN d.generation <> st.generation OR NOT st.slot_usable THEN 'needs_resync'
            WHEN s.state = 'needs_resync' THEN s.state
            -- Its lane finishes what it has in hand, and fanoutd says when it has stopped.
            WHEN d.paused AND h.daemon_connected
                AND s.state IN ('starting', 'streaming', 'retrying') THEN 'pausing'
            WHEN d.paused THEN 'paused'
            WHEN s.state IN ('failed', 'denied') THEN s.state
            WHEN NOT st.enabled OR NOT h.daemon_connected THEN 'waiting'
            WHEN s.state IS NULL OR s.state IN ('paused', 'waiting', 'restored') THEN 'starting'
            ELSE s.state
        END AS state,
        CASE WHEN f.caught_up THEN greatest(s.cursor_end_lsn, st.confirmed_flush_lsn)
            ELSE coalesce(s.cursor_end_lsn, d.start_lsn) END AS progress_lsn,
        greatest(s.cursor_time, d.created_at,
            CASE WHEN f.caught_up THEN s.reported_at END) AS progress_time,
        f.caught_up AND h.daemon_connected AND st.active_pid IS NOT NULL AS caught_up,
        h.daemon_connected, st.enabled AS stream_enabled,
        d.paused, d.start_lsn, d.owner, d.tables, d.options, d.created_at,
        s.cursor_lsn, s.cursor_end_lsn, s.cursor_time, s.rows_read, s.rows_delivered,
            s.rows_filtered, s.rows_dead_lettered,
        s.transactions, s.retries, s.last_error, s.last_error_hint, s.last_error_at, s.reported_at
    FROM fanout.subscription_def d
    JOIN fanout._stream st ON st.id = d.stream_id
    JOIN fanout.target_def t ON t.id = d.target_id
    CROSS JOIN fanout._here h
    LEFT JOIN fanout._subscription_status() s ON s.subscription_id = d.id
    -- What was reported of an old slot, or before an error, says nothing about the slot of today.
    CROSS JOIN LATERAL (SELECT s.caught_up AND s.state = 'streaming'
        AND d.generation = st.generation) AS f (caught_up);
COMMENT ON VIEW fanout._subscription IS
    'Internal: subscriptions as configured, as reported, and as they are now';

CREATE VIEW fanout.subscriptions AS
    SELECT v.name, v.stream, v.target, v.connector, v.state, v.cursor_lsn,
        greatest(fanout.normalize_lsn(fanout._wal_position()) - v.progress_lsn, 0)::bigint
            AS lag_bytes,
        CASE WHEN v.caught_up THEN 0 ELSE round(extract(epoch FROM greatest(
            clock_timestamp() - v.progress_time, interval '0')), 3) END AS lag_seconds,
        coalesce(v.rows_read, 0) AS rows_read, coalesce(v.rows_delivered, 0) AS rows_delivered,
        coalesce(v.rows_filtered, 0) AS rows_filtered,
        coalesce(v.rows_dead_lettered, 0) AS rows_dead_lettered,
        coalesce(v.transactions, 0) AS transactions, coalesce(v.retries, 0) AS retries,
        v.last_error, v.last_error_hint, v.last_error_at, v.paused, v.start_lsn, v.owner, v.tables,
            v.options, v.reported_at
    FROM fanout._subscription v;
COMMENT ON VIEW fanout.subscriptions IS
    'Subscriptions: state, progress, lag, counts and last error of each';
COMMENT ON COLUMN fanout.subscriptions.name IS 'Name of the subscription';
COMMENT ON COLUMN fanout.subscriptions.stream IS 'The stream it reads';
COMMENT ON COLUMN fanout.subscriptions.target IS 'The target it delivers to';
COMMENT ON COLUMN fanout.subscriptions.connector IS 'Connector of the target';
COMMENT ON COLUMN fanout.subscriptions.state IS
    'starting, streaming, paused; pausing: the lane finishes what it has in hand; retrying: after an error, by itself; failed: a person has to act, '
    'see last_error; denied: the owner may not read any of the tables; needs_resync: it has lost '
    'changes; waiting: for fanoutd or for its stream; restored: came with a dump, resume it to '
    'start; standby: this server is one, ask the primary';
COMMENT ON COLUMN fanout.subscriptions.cursor_lsn IS
    'Commit LSN of the last transaction that is durable at the target';
COMMENT ON COLUMN fanout.subscriptions.lag_bytes IS
    'WAL written since what the target has, in bytes; other tables'' WAL counts';
COMMENT ON COLUMN fanout.subscriptions.lag_seconds IS
    'Age of the last delivered commit while something is missing; 0 when caught up';
COMMENT ON COLUMN fanout.subscriptions.rows_read IS
    'Row changes read = delivered + filtered + dead-lettered, since fanoutd started';
COMMENT ON COLUMN fanout.subscriptions.rows_delivered IS 'Row changes durable at the target';
COMMENT ON COLUMN fanout.subscriptions.rows_filtered IS 'Row changes left out on purpose';
COMMENT ON COLUMN fanout.subscriptions.rows_dead_lettered IS
    'Row changes that the target refused for good and that were put aside';
COMMENT ON COLUMN fanout.subscriptions.transactions IS 'Source transactions delivered';
COMMENT ON COLUMN fanout.subscriptions.retries IS 'Attempts repeated after an error';
COMMENT ON COLUMN fanout.subscriptions.last_error IS 'What went wrong last';
COMMENT ON COLUMN fanout.subscriptions.last_error_hint IS 'What to do about it';
COMMENT ON COLUMN fanout.subscriptions.last_error_at IS 'When it went wrong';
COMMENT ON COLUMN fanout.subscriptions.paused IS 'Paused by fanout.pause_subscription()';
COMMENT ON COLUMN fanout.subscriptions.start_lsn IS 'Changes committed after this are delivered';
COMMENT ON COLUMN fanout.subscriptions.owner IS
    'Who created it; its SELECT right decides which tables are carried';
COMMENT ON COLUMN fanout.subscriptions.tables IS
    'Names and patterns of its tables; see fanout.subscription_tables';
COMMENT ON COLUMN fanout.subscriptions.options IS 'Options it was created with';
COMMENT ON COLUMN fanout.subscriptions.reported_at IS
    'When fanoutd last reported; it is silent while nothing changes';

-- Every table against every pattern: quick, but estimated so high that it would be compiled.
CREATE FUNCTION fanout._matches(subscription integer DEFAULT NULL) RETURNS TABLE (
    subscription_id integer, table_oid oid, schema_name text, table_name text, identity text,
    allowed boolean)
LANGUAGE sql STABLE COST 100 ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT d.id, t.table_oid, t.schema_name, t.table_name, t.identity, fanout._may_carry(d.owner, t)
    FROM fanout.subscription_def d CROSS JOIN fanout._table t
    WHERE d.id = coalesce(subscription, d.id) AND EXISTS (SELECT FROM unnest(d.tables) AS p
        WHERE fanout.pattern_matches(p, t.schema_name, t.table_name))
$body$;
COMMENT ON FUNCTION fanout._matches(integer) IS
    'Internal: the tables that exist and match, of one subscription or of all';

CREATE VIEW fanout.subscription_tables AS
    SELECT d.name AS subscription, coalesce(m.schema_name, r.schema_name) AS schema_name,
        coalesce(m.table_name, r.table_name) AS table_name,
        coalesce(m.identity, r.identity) AS identity,
        coalesce(r.rows_delivered, 0) AS rows_delivered,
        CASE WHEN m.table_oid IS NULL THEN 'gone' WHEN NOT m.allowed THEN 'denied'
            ELSE 'carried' END AS state,
        CASE
            WHEN m.table_oid IS NULL THEN 'dropped, or no pattern matches it any more'
            WHEN NOT m.allowed THEN format('%I may not read all of it', d.owner)
            WHEN r.note IS NOT NULL THEN r.note
            WHEN m.identity = 'none' THEN 'updates and deletes arrive without a key'
        END AS note
    FROM fanout._matches() m
    FULL JOIN fanout._subscription_table_status() r USING (subscription_id, table_oid)
    JOIN fanout.subscription_def d ON d.id = subscription_id;
COMMENT ON VIEW fanout.subscription_tables IS
    'Tables of each subscription: those that match now, and those that did';
COMMENT ON COLUMN fanout.subscription_tables.subscription IS 'Name of the subscription';
COMMENT ON COLUMN fanout.subscription_tables.schema_name IS 'Schema of the table';
COMMENT ON COLUMN fanout.subscription_tables.table_name IS 'Name of the table';
COMMENT ON COLUMN fanout.subscription_tables.identity IS
    'What updates and deletes find a row by: primary key, index <name>, full (the whole old row), '
    'or none';
COMMENT ON COLUMN fanout.subscription_tables.rows_delivered IS
    'Row changes of this table that are durable at the target';
COMMENT ON COLUMN fanout.subscription_tables.state IS
    'carried; denied: the subscription''s owner may not read it; gone: dropped or renamed';
COMMENT ON COLUMN fanout.subscription_tables.note IS 'What cannot be carried, and why';
