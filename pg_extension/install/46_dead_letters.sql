-- Dead letters: what a target will not have, put aside by policy or by fanout.skip().

CREATE VIEW fanout.dead_letters AS
    SELECT s.name AS subscription, l.commit_lsn, l.index, l.state, l.schema_name, l.table_name,
        l.operation, l.error, l.hint, l.attempts, l.commit_time, l.parked_at, l.superseded_by
    FROM fanout.dead_letter l JOIN fanout.subscription_def s ON s.id = l.subscription_id;
COMMENT ON VIEW fanout.dead_letters IS
    'Changes that were put aside because the target of a subscription will not have them';
COMMENT ON COLUMN fanout.dead_letters.subscription IS 'Name of the subscription';
COMMENT ON COLUMN fanout.dead_letters.commit_lsn IS 'Commit record of the change''s transaction';
COMMENT ON COLUMN fanout.dead_letters.index IS 'Number of the change in its transaction, from 1';
COMMENT ON COLUMN fanout.dead_letters.state IS
    'requested: to be skipped when it comes; parked: put aside; redriving: fanout.redrive() asked '
    'for it; superseded: a later change of the same row was delivered, so this one no longer may '
    'be; lost: fanoutd has it no more';
COMMENT ON COLUMN fanout.dead_letters.schema_name IS 'Schema of its table';
COMMENT ON COLUMN fanout.dead_letters.table_name IS 'Its table';
COMMENT ON COLUMN fanout.dead_letters.operation IS 'insert, update, delete, truncate or message';
COMMENT ON COLUMN fanout.dead_letters.error IS 'Why the target refused it';
COMMENT ON COLUMN fanout.dead_letters.hint IS 'What helps';
COMMENT ON COLUMN fanout.dead_letters.attempts IS 'How often it was tried';
COMMENT ON COLUMN fanout.dead_letters.commit_time IS 'When the source committed it';
COMMENT ON COLUMN fanout.dead_letters.parked_at IS 'When it was put aside';
COMMENT ON COLUMN fanout.dead_letters.superseded_by IS
    'Commit record of the later change of the same row that the target has';

CREATE FUNCTION fanout.skip(subscription text, commit_lsn pg_lsn, index bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
BEGIN
    IF commit_lsn IS NULL OR index IS NULL OR index < 1 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = 'a change is named by its commit LSN and its index, from 1',
            HINT = 'The error of the subscription names both: SELECT last_error FROM '
                'fanout.subscriptions;';
    END IF;
    INSERT INTO fanout.dead_letter (subscription_id, commit_lsn, index, requested_by)
        VALUES (def.id, skip.commit_lsn, skip.index, session_user)
        ON CONFLICT DO NOTHING;
    UPDATE fanout.subscription_def s SET revision = s.revision + 1 WHERE s.id = def.id;
    UPDATE fanout.subscription_status s SET state = 'starting'
        WHERE s.subscription_id = def.id AND s.state IN ('failed', 'retrying');
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.skip(text, pg_lsn, bigint) IS
    'Puts one change aside that stops a subscription: it becomes a dead letter, the rest of its '
    'transaction is delivered, and the subscription goes on. The subscription''s last error names '
    'commit LSN and index.';

-- For fanoutd: what it has to skip.
CREATE FUNCTION fanout._skips(subscription integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(jsonb_agg(jsonb_build_object('commit_lsn', l.commit_lsn, 'index', l.index,
        'by', l.requested_by)), '[]')
    FROM fanout.dead_letter l
    WHERE l.subscription_id = subscription AND l.state = 'requested'
$body$;
COMMENT ON FUNCTION fanout._skips(integer) IS 'Internal: the changes a subscription has to skip';

-- A letter that is named has to be there; of many, those that can be delivered are.
CREATE FUNCTION fanout._check_redrive(def fanout.subscription_def, at_lsn pg_lsn, at_index bigint)
    RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    letter fanout.dead_letter;
BEGIN
    IF at_index IS NOT NULL AND at_lsn IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = 'an index alone names no change',
            HINT = 'Give the commit LSN, too: both are in the view fanout.dead_letters.';
    ELSIF at_index IS NULL THEN
        RETURN;
    END IF;
    SELECT l.* INTO letter FROM fanout.dead_letter l
        WHERE (l.subscription_id, l.commit_lsn, l.index) = (def.id, at_lsn, at_index);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('subscription "%s" has no dead letter at %s, index %s', def.name,
                at_lsn, at_index),
            HINT = 'The view fanout.dead_letters lists them; one that was delivered is gone.';
    ELSIF letter.state = 'superseded' THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('the change at %s, index %s can no longer be delivered', at_lsn,
                at_index),
            DETAIL = format('A later change of the same row, committed at %s, was delivered to '
                'subscription "%s": the older one would overwrite it.', letter.superseded_by,
                def.name),
            HINT = format('To have the row as the source has it now: SELECT fanout.resync(%L, '
                '%L, <predicate>);', def.name,
                ARRAY[format('%I.%I', letter.schema_name, letter.table_name)]);
    ELSIF letter.state <> 'parked' THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('the change at %s, index %s is %s, not parked', at_lsn, at_index,
                letter.state),
            HINT = 'The column state of the view fanout.dead_letters says what may be done.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._check_redrive(fanout.subscription_def, pg_lsn, bigint) IS
    'Internal: refuses to deliver a dead letter that is not there, or no longer may be';

CREATE FUNCTION fanout.redrive(subscription text, commit_lsn pg_lsn DEFAULT NULL,
    index bigint DEFAULT NULL, tables text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
    chosen bigint;
BEGIN
    PERFORM fanout._check_redrive(def, commit_lsn, index);
    UPDATE fanout.dead_letter l SET state = 'redriving', requested_by = session_user
        WHERE l.subscription_id = def.id AND l.state = 'parked'
            AND l.commit_lsn = coalesce(redrive.commit_lsn, l.commit_lsn)
            AND l.index = coalesce(redrive.index, l.index)
            AND (tables IS NULL
                OR fanout.pattern_matches(tables, l.schema_name, l.table_name));
    GET DIAGNOSTICS chosen = ROW_COUNT;
    IF chosen = 0 THEN
        RETURN 0;
    END IF;
    IF def.paused THEN
        RAISE NOTICE USING MESSAGE = format('subscription "%s" is paused', subscription),
            HINT = format('Nothing is delivered until SELECT fanout.resume_subscription(%L);',
                subscription);
    END IF;
    UPDATE fanout.subscription_def s SET revision = s.revision + 1 WHERE s.id = def.id;
    UPDATE fanout.subscription_status s SET state = 'starting'
        WHERE s.subscription_id = def.id AND s.state IN ('failed', 'retrying');
    PERFORM pg_notify('pg_fanout', 'config');
    RETURN chosen;
END
$body$;
COMMENT ON FUNCTION fanout.redrive(text, pg_lsn, bigint, text) IS
    'Delivers dead letters again, once what the target refused was mended: all that are parked, '
    'those of one transaction, one of them, or those of the tables that a name or pattern means. '
    'Each is delivered at a commit boundary of the subscription, in the order of the source, and '
    'only if no later change of the same row was delivered; what is refused again stays parked. '
    'Returns how many were asked for; the view fanout.dead_letters shows what became of them.';

-- For fanoutd: what it is to deliver again.
CREATE FUNCTION fanout._redrives(subscription integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(jsonb_agg(jsonb_build_object('commit_lsn', l.commit_lsn, 'index', l.index)),
        '[]')
    FROM fanout.dead_letter l
    WHERE l.subscription_id = subscription AND l.state = 'redriving'
$body$;
COMMENT ON FUNCTION fanout._redrives(integer) IS
    'Internal: the dead letters a subscription has to deliver';

-- What was delivered is no letter any more. A report that was on its way while a letter was asked
-- for still calls it parked: only after another attempt it is that again.
CREATE FUNCTION fanout._report_dead_letters(entry jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
    WITH reported AS (
        SELECT s.id, l.*
        FROM fanout.subscription_def s,
            jsonb_to_recordset(coalesce(entry -> 'dead_letters', '[]')) AS l (commit_lsn pg_lsn,
                index bigint, state text, schema_name text, table_name text, operation text,
                error text, hint text, attempts integer, commit_time timestamptz,
                parked_at timestamptz, superseded_by pg_lsn)
        WHERE s.id = (entry ->> 'id')::integer
    ), gone AS (
        DELETE FROM fanout.dead_letter d USING reported r
        WHERE r.state = 'delivered'
            AND (d.subscription_id, d.commit_lsn, d.index) = (r.id, r.commit_lsn, r.index)
    ), lost AS (
        UPDATE fanout.dead_letter d SET state = r.state, error = r.error, hint = r.hint
        FROM reported r
        WHERE r.state = 'lost'
            AND (d.subscription_id, d.commit_lsn, d.index) = (r.id, r.commit_lsn, r.index)
    )
    INSERT INTO fanout.dead_letter AS d (subscription_id, commit_lsn, index, state, schema_name,
        table_name, operation, error, hint, attempts, commit_time, parked_at, superseded_by)
    SELECT l.id, l.commit_lsn, l.index, l.state, l.schema_name, l.table_name, l.operation,
        l.error, l.hint, l.attempts, l.commit_time, l.parked_at, l.superseded_by
    FROM reported l WHERE l.state NOT IN ('delivered', 'lost')
    ON CONFLICT ON CONSTRAINT dead_letter_pkey DO UPDATE
        SET state = CASE WHEN d.state = 'redriving' AND EXCLUDED.state = 'parked'
                AND EXCLUDED.attempts <= d.attempts THEN d.state ELSE EXCLUDED.state END,
            schema_name = EXCLUDED.schema_name,
            table_name = EXCLUDED.table_name, operation = EXCLUDED.operation,
            error = EXCLUDED.error, hint = EXCLUDED.hint,
            attempts = EXCLUDED.attempts, commit_time = EXCLUDED.commit_time,
            parked_at = EXCLUDED.parked_at, superseded_by = EXCLUDED.superseded_by
$body$;
COMMENT ON FUNCTION fanout._report_dead_letters(jsonb) IS
    'Internal: the part of fanout.report() about the dead letters of one subscription';
