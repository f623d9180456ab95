-- Changing a subscription while it streams. The decoding worker follows the row in the WAL, so a
-- table joins or leaves exactly at the commit of the change.

-- Whatever was changed may have mended what it failed of.
CREATE FUNCTION fanout._try_failed_again(subscription integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    UPDATE fanout.subscription_status s SET state = 'starting'
        WHERE s.subscription_id = subscription AND s.state IN ('failed', 'retrying');
    IF FOUND THEN
        UPDATE fanout.subscription_def d SET revision = d.revision + 1 WHERE d.id = subscription;
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._try_failed_again(integer) IS
    'Internal: makes fanoutd try a failed subscription again';

-- Tables that leave: should they come back, their copies at the target are out of date.
CREATE FUNCTION fanout._outdate_leaving_tables(def fanout.subscription_def, tables text[])
    RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
    INSERT INTO fanout.backfill_def AS b (subscription_id, table_oid, schema_name, table_name,
        generation)
    SELECT def.id, m.table_oid, m.schema_name, m.table_name, 2
    FROM fanout._backfills(def.id) m
    WHERE m.table_oid NOT IN (SELECT c.table_oid
        FROM fanout._carried(tables, fanout._is_via_root(def.options)) c)
    ON CONFLICT ON CONSTRAINT backfill_def_pkey DO UPDATE
        SET generation = b.generation + 1, predicate = NULL, on_nonempty = NULL, paused = false,
            cancelled = false, requested_at = now()
$body$;
COMMENT ON FUNCTION fanout._outdate_leaving_tables(fanout.subscription_def, text[]) IS
    'Internal: makes tables that leave a subscription be copied again if they come back';

CREATE FUNCTION fanout.alter_subscription(name text, options jsonb DEFAULT NULL,
    tables text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(name);
    merged jsonb := def.options;
BEGIN
    IF options IS NULL AND tables IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = format('nothing to change in subscription "%s"', name),
            HINT = 'Pass options, tables or both: SELECT fanout.alter_subscription(''orders'', '
                'tables => ''{public.orders, public.items}'');';
    END IF;
    IF options IS NOT NULL THEN
        PERFORM fanout._require_object('options', options);
        merged := (def.options || options) - ARRAY(SELECT o.key FROM jsonb_each(options) AS o
            WHERE o.value = 'null');
        PERFORM fanout._check_subscription_options(options,
            (SELECT t.connector FROM fanout.target_def t WHERE t.id = def.target_id), true);
    END IF;
    IF fanout._is_via_root(merged) <> fanout._is_via_root(def.options) THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = 'option "via_root" cannot be changed',
            DETAIL = 'The target has the rows under other tables'' names.',
            HINT = format('SELECT fanout.drop_subscription(%L); and create it again.', name);
    END IF;
    IF tables IS NOT NULL THEN
        PERFORM fanout._check_tables(tables, def.owner, fanout._is_via_root(def.options));
        PERFORM fanout._prepare_masks(tables);
        PERFORM fanout._outdate_leaving_tables(def, tables);
        -- Only whoever may act for the owner: see the table's trigger.
        UPDATE fanout.subscription_def s SET tables = alter_subscription.tables WHERE s.id = def.id;
    END IF;
    UPDATE fanout.subscription_def s SET options = merged WHERE s.id = def.id;
    PERFORM fanout._try_failed_again(def.id);
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.alter_subscription(text, jsonb, text[]) IS
    'Changes a subscription while it streams. Options are merged with those it has; null takes one '
    'back to its default. Tables replace the list: those that join are carried from this commit on '
    'and, with the option backfill, are copied; those that leave stay at the target as they are, '
    'and are copied again if they come back.';
