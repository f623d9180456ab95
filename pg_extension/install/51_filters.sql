-- Which rows and columns each subscription gets, where that is not all of them.

CREATE FUNCTION fanout._filters() RETURNS TABLE (subscription_id integer, table_oid oid,
    schema_name text, table_name text, columns text[], predicate text, masks jsonb, problem text,
    remedy text)
LANGUAGE sql STABLE COST 100 ROWS 10 SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT d.id, t.table_oid, t.schema_name, t.table_name, f.columns, f.predicate, f.masks,
        f.problem, f.remedy
    FROM fanout.subscription_def d
    CROSS JOIN LATERAL fanout._carried(d.tables, fanout._is_via_root(d.options)) AS e
    JOIN fanout._table t ON t.table_oid = e.table_oid
    CROSS JOIN LATERAL fanout._filter_of(e.entry, t.table_oid) AS f
    WHERE e.entry LIKE '{%' AND EXISTS (SELECT FROM unnest(d.tables) AS u WHERE u LIKE '{%')
        AND num_nonnulls(f.columns, f.predicate, f.masks, f.problem) > 0
$body$;
COMMENT ON FUNCTION fanout._filters() IS
    'Internal: rows, columns and masks of the tables that subscriptions do not carry as they are';

CREATE VIEW fanout.subscription_filters AS
    SELECT d.name AS subscription, f.schema_name, f.table_name, f.columns, f.predicate, f.masks,
        f.problem, f.remedy
    FROM fanout._filters() f JOIN fanout.subscription_def d ON d.id = f.subscription_id;
COMMENT ON VIEW fanout.subscription_filters IS
    'Rows, columns and masks of the tables that subscriptions do not carry as they are';
COMMENT ON COLUMN fanout.subscription_filters.subscription IS 'Name of the subscription';
COMMENT ON COLUMN fanout.subscription_filters.schema_name IS 'Schema of the table';
COMMENT ON COLUMN fanout.subscription_filters.table_name IS 'Name of the table';
COMMENT ON COLUMN fanout.subscription_filters.columns IS 'Columns it gets; null: all of them';
COMMENT ON COLUMN fanout.subscription_filters.predicate IS 'Rows it gets; null: all of them';
COMMENT ON COLUMN fanout.subscription_filters.masks IS
    'What stands for the values of columns: null, redact, hash, last4; null: nothing is masked';
COMMENT ON COLUMN fanout.subscription_filters.problem IS
    'Why the table cannot be carried in that way as it is now';
COMMENT ON COLUMN fanout.subscription_filters.remedy IS 'What to do about it';

CREATE FUNCTION fanout._filters_json(subscription integer) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(jsonb_agg(jsonb_build_object('table_oid', f.table_oid::bigint,
            'schema', f.schema_name, 'table', f.table_name, 'columns', to_jsonb(f.columns),
            'predicate', f.predicate, 'masks', f.masks, 'problem', f.problem)
        ORDER BY f.schema_name, f.table_name), '[]')
    FROM fanout._filters() f WHERE f.subscription_id = subscription
$body$;
COMMENT ON FUNCTION fanout._filters_json(integer) IS
    'Internal: the filters of a subscription for fanoutd';

CREATE FUNCTION fanout._check_filters()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT format('table %I.%I', f.schema_name, f.table_name), 'error',
        format('not carried for subscription %s: %s', f.subscription, f.problem), f.remedy
    FROM fanout.subscription_filters f WHERE f.problem IS NOT NULL
$body$;
COMMENT ON FUNCTION fanout._check_filters() IS
    'Internal: the part of fanout.check() that looks at predicates and column lists';

CREATE FUNCTION fanout.skip(subscription text) RETURNS pg_lsn
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
    stop pg_lsn := (SELECT s.stopped_lsn FROM fanout.subscription_status s
        WHERE s.subscription_id = def.id AND s.state = 'failed');
BEGIN
    IF stop IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('subscription "%s" has not stopped at a change that can be skipped',
                subscription),
            HINT = 'The view fanout.subscriptions shows its state and its last error.';
    END IF;
    UPDATE fanout.subscription_def s SET skip_lsn = stop, revision = s.revision + 1
        WHERE s.id = def.id;
    UPDATE fanout.subscription_status s SET state = 'starting' WHERE s.subscription_id = def.id;
    PERFORM pg_notify('pg_fanout', 'config');
    RETURN stop;
END
$body$;
COMMENT ON FUNCTION fanout.skip(text) IS
    'Lets a subscription go on that has stopped at a change: at a row that its predicate could not '
    'judge, or at a table that no longer has what it asks for. What stopped it is left out in that '
    'transaction; returns the commit LSN.';
