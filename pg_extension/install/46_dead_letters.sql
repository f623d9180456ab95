-- Dead letters: what a target will not have, put aside by policy or by fanout.skip().

CREATE VIEW fanout.dead_letters AS
    SELECT s.name AS subscription, l.commit_lsn, l.index, l.state, l.schema_name, l.table_name,
        l.operation, l.error, l.hint, l.attempts, l.commit_time, l.parked_at
    FROM fanout.dead_letter l JOIN fanout.subscription_def s ON s.id = l.subscription_id;
COMMENT ON VIEW fanout.dead_letters IS
    'Changes that were put aside because the target of a subscription will not have them';
COMMENT ON COLUMN fanout.dead_letters.subscription IS 'Name of the subscription';
COMMENT ON COLUMN fanout.dead_letters.commit_lsn IS 'Commit record of the change''s transaction';
COMMENT ON COLUMN fanout.dead_letters.index IS 'Number of the change in its transaction, from 1';
COMMENT ON COLUMN fanout.dead_letters.state IS
    'requested: to be skipped when it comes; parked: put aside';
COMMENT ON COLUMN fanout.dead_letters.schema_name IS 'Schema of its table';
COMMENT ON COLUMN fanout.dead_letters.table_name IS 'Its table';
COMMENT ON COLUMN fanout.dead_letters.operation IS 'insert, update, delete, truncate or message';
COMMENT ON COLUMN fanout.dead_letters.error IS 'Why the target refused it';
COMMENT ON COLUMN fanout.dead_letters.hint IS 'What helps';
COMMENT ON COLUMN fanout.dead_letters.attempts IS 'How often it was tried';
COMMENT ON COLUMN fanout.dead_letters.commit_time IS 'When the source committed it';
COMMENT ON COLUMN fanout.dead_letters.parked_at IS 'When it was put aside';

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

CREATE FUNCTION fanout._report_dead_letters(entry jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
    INSERT INTO fanout.dead_letter AS d (subscription_id, commit_lsn, index, state, schema_name,
        table_name, operation, error, hint, attempts, commit_time, parked_at)
    SELECT s.id, l.commit_lsn, l.index, l.state, l.schema_name, l.table_name, l.operation,
        l.error, l.hint, l.attempts, l.commit_time, l.parked_at
    FROM fanout.subscription_def s,
        jsonb_to_recordset(coalesce(entry -> 'dead_letters', '[]')) AS l (commit_lsn pg_lsn,
            index bigint, state text, schema_name text, table_name text, operation text,
            error text, hint text, attempts integer, commit_time timestamptz,
            parked_at timestamptz)
    WHERE s.id = (entry ->> 'id')::integer
    ON CONFLICT ON CONSTRAINT dead_letter_pkey DO UPDATE
        SET state = EXCLUDED.state, schema_name = EXCLUDED.schema_name,
            table_name = EXCLUDED.table_name, operation = EXCLUDED.operation,
            error = EXCLUDED.error, hint = EXCLUDED.hint,
            attempts = EXCLUDED.attempts, commit_time = EXCLUDED.commit_time,
            parked_at = EXCLUDED.parked_at
$body$;
COMMENT ON FUNCTION fanout._report_dead_letters(jsonb) IS
    'Internal: the part of fanout.report() about the dead letters of one subscription';
