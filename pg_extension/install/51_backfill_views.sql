-- How far the copies of existing rows are. Estimates come from the catalogs: nothing is counted.

-- What is to be copied: the tables of subscriptions with the option `backfill`, and those that
-- somebody asked for. `finished`: nothing is left to do, as far as fanoutd has reported.
CREATE FUNCTION fanout._backfills(subscription integer DEFAULT NULL) RETURNS TABLE (
    subscription_id integer, table_oid oid, schema_name text, table_name text, generation integer,
    predicate text, on_nonempty text, paused boolean, cancelled boolean, finished boolean)
LANGUAGE sql STABLE COST 100 ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT m.subscription_id, m.table_oid, m.schema_name, m.table_name, coalesce(b.generation, 1),
        b.predicate,
        coalesce(b.on_nonempty, fanout._option(d.options, 'on_nonempty') #>> '{}'),
        d.backfill_paused OR coalesce(b.paused, false), coalesce(b.cancelled, false),
        coalesce(b.cancelled, false)
            OR coalesce(s.generation >= coalesce(b.generation, 1) AND s.state = 'complete', false)
    FROM fanout._matches(subscription) m
    JOIN fanout.subscription_def d ON d.id = m.subscription_id
    LEFT JOIN fanout.backfill_def b USING (subscription_id, table_oid)
    LEFT JOIN fanout._backfill_status() s USING (subscription_id, table_oid)
    WHERE m.allowed
        AND (b.table_oid IS NOT NULL OR (fanout._option(d.options, 'backfill'))::boolean)
$body$;
COMMENT ON FUNCTION fanout._backfills(integer) IS
    'Internal: tables to copy, of one subscription or of all, and how';

-- As the planner guesses: density of the last ANALYZE, or the widths of the columns, times size.
CREATE FUNCTION fanout._estimated_rows(tab oid, bytes bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE WHEN c.reltuples >= 0 AND c.relpages > 0
        THEN c.reltuples::double precision / c.relpages
            * (bytes / current_setting('block_size')::integer)
        ELSE bytes / (28 + coalesce((SELECT sum(CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END)
            FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), 0))
        END::bigint
    FROM pg_class c WHERE c.oid = tab
$body$;
COMMENT ON FUNCTION fanout._estimated_rows(oid, bigint) IS
    'Internal: about how many rows a table of so many bytes has';

CREATE VIEW fanout._backfill AS
    SELECT v.name AS subscription, w.schema_name, w.table_name, CASE
            WHEN w.cancelled THEN 'cancelled'
            WHEN w.finished THEN 'complete'
            WHEN v.state = 'failed' AND s.state = 'failed' AND s.generation = w.generation
                THEN 'failed'
            WHEN w.paused THEN 'paused'
            WHEN v.state NOT IN ('starting', 'streaming', 'retrying') THEN 'waiting'
            WHEN s.generation = w.generation AND s.state NOT IN ('paused', 'cancelled') THEN s.state
            ELSE 'pending'
        END AS state,
        CASE WHEN v.state NOT IN ('starting', 'streaming', 'retrying')
            THEN CASE v.state WHEN 'standby' THEN 'this server is a standby; ask the primary'
                ELSE format('the subscription is %s', v.state) END END AS held_up,
        w.subscription_id, w.table_oid, w.generation, w.predicate, w.finished,
        s.generation = w.generation AS reported,
        s.rows_done, s.bytes_done, s.rows_estimate, s.bytes_estimate, s.rows_per_second, s.chunks,
        s.retries, s.mode, s.started_at, s.finished_at, s.snapshot_held_seconds, s.detail,
        s.last_error, s.last_error_hint, s.reported_at
    FROM fanout._backfills() w
    JOIN fanout._subscription v ON v.id = w.subscription_id
    LEFT JOIN fanout._backfill_status() s
        ON (s.subscription_id, s.table_oid, s.generation)
         = (w.subscription_id, w.table_oid, w.generation);
COMMENT ON VIEW fanout._backfill IS 'Internal: copies as asked for and as reported';

CREATE VIEW fanout.backfills AS
    SELECT b.subscription, b.schema_name, b.table_name, b.state,
        coalesce(b.rows_done, 0) AS rows_done, e.rows_estimate,
        CASE WHEN b.state = 'complete' THEN 100.0
            WHEN e.rows_estimate > 0 THEN round(least(99.9,
                100.0 * coalesce(b.rows_done, 0) / e.rows_estimate), 1)
        END AS percent,
        coalesce(b.bytes_done, 0) AS bytes_done, b.bytes_estimate,
        CASE WHEN b.state = 'copying' THEN round(b.rows_per_second) END::bigint AS rows_per_second,
        CASE WHEN b.state = 'copying' AND b.rows_per_second > 0
                AND e.rows_estimate >= coalesce(b.rows_done, 0)
            THEN make_interval(secs => ceil((e.rows_estimate - coalesce(b.rows_done, 0))
                / b.rows_per_second))
        END AS eta,
        coalesce(b.chunks, 0) AS chunks, coalesce(b.retries, 0) AS retries, b.mode,
        CASE WHEN b.state = 'copying' THEN b.snapshot_held_seconds
            + extract(epoch FROM clock_timestamp() - b.reported_at)::double precision
        END AS snapshot_held_seconds,
        b.predicate, b.generation, b.started_at, b.finished_at,
        CASE WHEN NOT b.finished AND b.state <> 'failed' THEN coalesce(b.held_up, b.detail)
            WHEN b.state = 'complete' THEN b.detail END AS detail,
        CASE WHEN NOT b.finished OR b.state = 'complete' THEN b.last_error END AS last_error,
        CASE WHEN b.state = 'failed' AND b.held_up IS NULL THEN format('It is tried again every '
                'now and then. With %s: SELECT fanout.resync(%L, %L%s); to do without these rows: '
                'SELECT fanout.cancel_backfill(%L, %L);',
                CASE WHEN b.predicate IS NULL THEN 'the cause mended, at once'
                    ELSE 'another predicate' END, b.subscription, name.list,
                CASE WHEN b.predicate IS NOT NULL THEN ', ''...''' END, b.subscription, name.list)
            WHEN NOT b.finished OR b.state = 'complete' THEN b.last_error_hint END
            AS last_error_hint,
        b.reported_at
    FROM fanout._backfill b
    CROSS JOIN LATERAL (SELECT CASE WHEN b.state = 'complete' THEN b.rows_done
        WHEN b.reported AND (b.rows_estimate IS NOT NULL OR b.predicate IS NOT NULL)
            THEN b.rows_estimate
        WHEN b.predicate IS NULL
            THEN fanout._estimated_rows(b.table_oid, pg_relation_size(b.table_oid))
        END AS rows_estimate) AS e
    CROSS JOIN LATERAL (SELECT ARRAY[format('%I.%I', b.schema_name, b.table_name)] AS list) AS name;
COMMENT ON VIEW fanout.backfills IS
    'Copies of existing rows: state and progress, per subscription and table';
COMMENT ON COLUMN fanout.backfills.subscription IS 'Name of the subscription';
COMMENT ON COLUMN fanout.backfills.schema_name IS 'Schema of the table';
COMMENT ON COLUMN fanout.backfills.table_name IS 'Name of the table';
COMMENT ON COLUMN fanout.backfills.state IS
    'pending: its turn has not come; copying; indexing: the rows are there, indexes are made, see '
    'detail; complete; waiting: see detail; paused: by fanout.pause_backfill(); cancelled: by '
    'fanout.cancel_backfill(); failed: the source refuses what is read again and again, or it has '
    'stopped the subscription, see last_error';
COMMENT ON COLUMN fanout.backfills.rows_done IS
    'Rows given to the target; there for good once the state is complete';
COMMENT ON COLUMN fanout.backfills.rows_estimate IS
    'Rows there are to copy, as the catalogs guess; exact once complete';
COMMENT ON COLUMN fanout.backfills.percent IS 'Share of the estimate that is done';
COMMENT ON COLUMN fanout.backfills.bytes_done IS 'Bytes read from the source for them';
COMMENT ON COLUMN fanout.backfills.bytes_estimate IS 'Bytes there are to read, about';
COMMENT ON COLUMN fanout.backfills.rows_per_second IS 'Pace of the last seconds';
COMMENT ON COLUMN fanout.backfills.eta IS 'Time left at this pace';
COMMENT ON COLUMN fanout.backfills.chunks IS 'Parts that are done';
COMMENT ON COLUMN fanout.backfills.retries IS 'Parts that were read again after an error';
COMMENT ON COLUMN fanout.backfills.mode IS
    'ordered: chunk by chunk in the order of the key; lenient: so, over rows that are there already, '
    'or where only the server knows the order; snapshot: no usable key, all under one snapshot';
COMMENT ON COLUMN fanout.backfills.snapshot_held_seconds IS
    'In mode snapshot: for how long it keeps VACUUM from removing rows';
COMMENT ON COLUMN fanout.backfills.predicate IS 'Which rows; null for all';
COMMENT ON COLUMN fanout.backfills.generation IS 'Raised by each fanout.resync()';
COMMENT ON COLUMN fanout.backfills.started_at IS 'When the first part was read';
COMMENT ON COLUMN fanout.backfills.finished_at IS 'When the last part was at the target';
COMMENT ON COLUMN fanout.backfills.detail IS
    'What it is waiting for or doing; once complete: indexes of the source that are not carried';
COMMENT ON COLUMN fanout.backfills.last_error IS
    'What went wrong last; once complete: indexes that could not be made';
COMMENT ON COLUMN fanout.backfills.last_error_hint IS 'What to do about it';
COMMENT ON COLUMN fanout.backfills.reported_at IS 'When fanoutd last reported';
