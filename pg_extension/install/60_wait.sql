-- Waiting for a target. Holds no lock that fanoutd's report could wait for: it only reads.

-- Raises if the subscription cannot get there without help.
CREATE FUNCTION fanout._require_progress(sub fanout._subscription) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF sub.state IN ('failed', 'needs_resync', 'denied', 'restored') THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('subscription "%s" does not move: %s', sub.name, sub.state),
            DETAIL = coalesce(sub.last_error, 'No error was reported.'),
            HINT = CASE sub.state
                WHEN 'restored' THEN format('It came with a dump. To start it here: SELECT '
                    'fanout.resume_subscription(%L);', sub.name)
                WHEN 'needs_resync' THEN format('Bring its target up to date, then SELECT '
                    'fanout.drop_subscription(%L); and create it again.', sub.name)
                ELSE coalesce(rtrim(sub.last_error_hint, '. ') || '. ', '')
                    || format('Then SELECT fanout.resume_subscription(%L);', sub.name)
            END;
    ELSIF sub.paused THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('subscription "%s" is paused', sub.name),
            HINT = format('SELECT fanout.resume_subscription(%L);', sub.name);
    ELSIF NOT sub.stream_enabled THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('stream "%s" is stopped', sub.stream),
            HINT = format('SELECT fanout.start_stream(%L);', sub.stream);
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._require_progress(fanout._subscription) IS
    'Internal: refuses to wait for a subscription that stands still';

CREATE FUNCTION fanout._check_wait(lsn pg_lsn, timeout interval) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF lsn IS NULL OR timeout IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = format('%s is null', CASE WHEN lsn IS NULL THEN 'lsn' ELSE 'timeout' END),
            HINT = 'Leave it out for the default.';
    ELSIF timeout < interval '0' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('timeout is negative: %s', timeout),
            HINT = 'Pass an interval such as ''10 s''; ''0'' asks without waiting.';
    ELSIF lsn > pg_current_wal_insert_lsn() THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('LSN %s lies in the future', lsn),
            DETAIL = format('This server has written up to %s.', pg_current_wal_insert_lsn()),
            HINT = 'Is it an LSN of this server? pg_current_wal_insert_lsn() tells the present '
                'one.';
    ELSIF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = '25001',
            MESSAGE = format('fanout.wait_for() cannot see progress in a %s transaction',
                current_setting('transaction_isolation')),
            HINT = 'Call it in READ COMMITTED, outside of the transaction.';
    ELSIF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '25001',
            MESSAGE = 'fanout.wait_for() would not wait for the transaction that calls it',
            DETAIL = 'This transaction has written; its changes are delivered after its commit.',
            HINT = 'COMMIT first, then wait.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._check_wait(pg_lsn, interval) IS
    'Internal: refuses arguments and transactions that cannot wait';

-- Whether every table to copy is copied. Raises if one of them is not going to be by itself.
CREATE FUNCTION fanout._backfilled(sub fanout._subscription) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    paused text;
    complete boolean;
    failed record;
BEGIN
    SELECT min(format('%I.%I', b.schema_name, b.table_name)) FILTER (WHERE b.paused AND NOT
            b.finished), coalesce(bool_and(b.finished), true)
        INTO paused, complete FROM fanout._backfills(sub.id) b;
    IF paused IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('the backfill of %s for subscription "%s" is paused', paused,
                sub.name),
            HINT = format('SELECT fanout.resume_backfill(%L); or wait for changes alone: '
                'fanout.wait_for(%L, backfill => false)', sub.name, sub.name);
    END IF;
    IF NOT complete THEN
        SELECT format('%I.%I', b.schema_name, b.table_name) AS name, b.last_error,
            b.last_error_hint
            INTO failed FROM fanout.backfills b
            WHERE b.subscription = sub.name AND b.state = 'failed' ORDER BY 1 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = '55000',
                MESSAGE = format('the backfill of %s for subscription "%s" fails', failed.name,
                    sub.name),
                DETAIL = failed.last_error, HINT = failed.last_error_hint;
        END IF;
    END IF;
    RETURN complete;
END
$body$;
COMMENT ON FUNCTION fanout._backfilled(fanout._subscription) IS
    'Internal: whether the existing rows of a subscription are at its target';

CREATE FUNCTION fanout.wait_for(subscription text, lsn pg_lsn DEFAULT pg_current_wal_insert_lsn(),
    timeout interval DEFAULT '60 s', backfill boolean DEFAULT true) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    sub fanout._subscription;
    goal pg_lsn;
    deadline timestamptz := clock_timestamp() + timeout;
    ask_at timestamptz := clock_timestamp();    -- again every second: fanoutd may restart
    daemon_at timestamptz := clock_timestamp(); -- when one was last seen
    pause_seconds double precision := 0.005;
BEGIN
    PERFORM fanout._check_wait(lsn, timeout);
    backfill := coalesce(backfill, true);
    goal := fanout.normalize_lsn(lsn);
    LOOP
        -- Within a transaction the server shows the sessions as they were at the first look.
        PERFORM pg_catalog.pg_stat_clear_snapshot();
        SELECT v.* INTO sub FROM fanout._subscription v WHERE v.name = subscription;
        IF sub.id IS NULL THEN
            PERFORM fanout._no_subscription(subscription);
        ELSIF sub.cursor_end_lsn >= goal AND (NOT backfill OR fanout._backfilled(sub)) THEN
            RETURN true;
        END IF;
        PERFORM fanout._require_progress(sub);
        IF sub.daemon_connected THEN
            daemon_at := clock_timestamp();
        ELSIF daemon_at + interval '10 s' <= clock_timestamp() THEN
            RAISE EXCEPTION USING ERRCODE = '55000',
                MESSAGE = 'no fanoutd is connected to this database',
                DETAIL = 'None was seen for 10 seconds.',
                HINT = format('Start it: fanoutd --source "dbname=%s" --state-dir DIR',
                    current_database());
        END IF;
        IF clock_timestamp() >= deadline THEN
            IF NOT sub.daemon_connected THEN
                RAISE WARNING 'no fanoutd is connected to this database';
            END IF;
            RETURN false;
        END IF;
        IF clock_timestamp() >= ask_at THEN
            PERFORM fanout.request_report();
            ask_at := clock_timestamp() + interval '1 s';
        END IF;
        PERFORM pg_sleep(least(pause_seconds, extract(epoch FROM deadline - clock_timestamp())));
        pause_seconds := least(pause_seconds * 1.5, 0.05);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout.wait_for(text, pg_lsn, interval, boolean) IS
    'Waits until the target of a subscription is durable up to an LSN, and the rows that are to be '
    'copied are there; with backfill => false it waits for the changes alone. True when it is, '
    'false after the timeout. Raises at once if the subscription has failed, is paused or otherwise cannot get '
    'there by itself, and after 10 seconds without a fanoutd.';
