-- Copies of existing rows: again, later, or not at all. fanoutd does what these write down.

-- Tables of a subscription that names or patterns choose; null for all that may be carried.
CREATE FUNCTION fanout._chosen_tables(def fanout.subscription_def, tables text[])
    RETURNS TABLE (table_oid oid, schema_name text, table_name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
    missing text;
BEGIN
    IF tables = '{}' OR array_position(tables, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the array of tables is empty or has a '
            'null in it',
            HINT = 'Leave tables out for all tables of the subscription.';
    END IF;
    FOR missing IN SELECT p FROM unnest(tables) AS p WHERE NOT EXISTS (
        SELECT FROM fanout._matches(def.id) m
            WHERE (fanout._carried_as(ARRAY[p], false, m.table_oid)).carrier IS NOT NULL)
    LOOP
        RAISE EXCEPTION USING ERRCODE = '42P01',
            MESSAGE = format('subscription "%s" has no table that matches %s', def.name,
                quote_literal(missing)),
            DETAIL = format('Its tables: %s.', fanout._in_words(def.tables)),
            HINT = 'The view fanout.subscription_tables lists them; '
                'fanout.alter_subscription() adds some.';
    END LOOP;
    RETURN QUERY SELECT m.table_oid, m.schema_name, m.table_name FROM fanout._matches(def.id) m
        WHERE (tables IS NOT NULL OR m.allowed)
            AND (tables IS NULL
                OR (fanout._carried_as(tables, false, m.table_oid)).carrier IS NOT NULL)
        ORDER BY 2, 3;
END
$body$;
COMMENT ON FUNCTION fanout._chosen_tables(fanout.subscription_def, text[]) IS
    'Internal: tables of a subscription chosen by names or patterns';

-- A predicate is run by fanoutd, with fanoutd's rights. So nothing gets into the table but what the
-- server itself wrote down after parsing it.
CREATE FUNCTION fanout._guard_predicate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    -- By name, for a dump is restored with the identifiers of elsewhere.
    NEW.predicate := fanout._check_predicate(
        to_regclass(format('%I.%I', NEW.schema_name, NEW.table_name))::oid, NEW.predicate);
    RETURN NEW;
END
$body$;
COMMENT ON FUNCTION fanout._guard_predicate() IS
    'Internal: keeps SQL out of the catalog that is not a harmless predicate';

CREATE TRIGGER guard_predicate
    BEFORE INSERT OR UPDATE OF predicate, schema_name, table_name ON fanout.backfill_def
    FOR EACH ROW WHEN (NEW.predicate IS NOT NULL) EXECUTE FUNCTION fanout._guard_predicate();

-- A subscription whose slot was lost begins again here and now; what is missing is copied.
CREATE FUNCTION fanout._begin_anew(def fanout.subscription_def) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    stream fanout._stream := fanout._join_stream((SELECT d.name FROM fanout.stream_def d
        WHERE d.id = def.stream_id));
BEGIN
    UPDATE fanout.subscription_def s
    SET revision = s.revision + 1, generation = stream.generation,
        start_lsn = pg_current_wal_insert_lsn()
    WHERE s.id = def.id;
    DELETE FROM fanout.subscription_status s WHERE s.subscription_id = def.id;
END
$body$;
COMMENT ON FUNCTION fanout._begin_anew(fanout.subscription_def) IS
    'Internal: moves a subscription to the present slot of its stream';

CREATE FUNCTION fanout._check_resync(def fanout.subscription_def, state text, tables text[],
    predicate text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    tab fanout._table;
BEGIN
    IF state = 'restored' THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('subscription "%s" was restored from a dump', def.name),
            HINT = format('Start it first: SELECT fanout.resume_subscription(%L);', def.name);
    ELSIF state = 'needs_resync' AND (tables IS NOT NULL OR predicate IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('subscription "%s" has lost changes of all of its tables', def.name),
            HINT = format('Copy all of them, whole: SELECT fanout.resync(%L);', def.name);
    END IF;
    FOR tab IN SELECT t.* FROM fanout._chosen_tables(def, tables) c
        JOIN fanout._table t USING (table_oid)
    LOOP
        IF NOT fanout._may_carry(def.owner, tab) THEN
            PERFORM fanout._deny(tab, def.owner);
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout._check_resync(fanout.subscription_def, text, text[], text) IS
    'Internal: refuses to copy what cannot be copied';

CREATE FUNCTION fanout.resync(subscription text, tables text[] DEFAULT NULL,
    predicate text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
    state text := (SELECT v.state FROM fanout._subscription v WHERE v.id = def.id);
    chosen integer;
BEGIN
    PERFORM fanout._check_resync(def, state, tables, predicate);
    IF state = 'needs_resync' THEN
        PERFORM fanout._begin_anew(def);
    END IF;
    INSERT INTO fanout.backfill_def AS b (subscription_id, table_oid, schema_name, table_name,
        generation, predicate, on_nonempty)
    SELECT def.id, c.table_oid, c.schema_name, c.table_name,
        CASE WHEN (fanout._option(def.options, 'backfill'))::boolean THEN 2 ELSE 1 END,
        resync.predicate, CASE WHEN resync.predicate IS NULL THEN 'truncate' ELSE 'upsert' END
    FROM fanout._chosen_tables(def, tables) c
    ON CONFLICT ON CONSTRAINT backfill_def_pkey DO UPDATE
        SET generation = b.generation + 1, schema_name = EXCLUDED.schema_name,
            table_name = EXCLUDED.table_name, predicate = EXCLUDED.predicate,
            on_nonempty = EXCLUDED.on_nonempty, paused = false, cancelled = false,
            requested_at = now();
    GET DIAGNOSTICS chosen = ROW_COUNT;
    IF chosen = 0 THEN
        RAISE NOTICE 'subscription "%" has no table that could be copied', subscription;
    END IF;
    IF def.paused THEN
        RAISE NOTICE USING MESSAGE = format('subscription "%s" is paused', subscription),
            HINT = format('Nothing is copied until SELECT fanout.resume_subscription(%L);',
                subscription);
    END IF;
    IF def.backfill_paused THEN
        RAISE NOTICE USING MESSAGE = format('all backfills of subscription "%s" are paused',
            subscription),
            HINT = format('Nothing is copied until SELECT fanout.resume_backfill(%L);',
                subscription);
    END IF;
    PERFORM fanout._try_failed_again(def.id);
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.resync(text, text[], text) IS
    'Copies tables to the target again while everything streams on: the tables that are named '
    '(names or patterns), or all of the subscription. Each is emptied at the target and filled '
    'anew. With a predicate only the rows that fulfil it are copied, over what the target has, and '
    'nothing is removed; true copies all rows that way. A predicate is an expression over the '
    'columns of the table with built-in immutable functions, and no subquery. A subscription that '
    'needs_resync begins anew with it, on the present slot of its stream.';

-- Those of the chosen tables that are not copied yet.
CREATE FUNCTION fanout._stop_backfill(def fanout.subscription_def, tables text[], cancel boolean)
    RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    changed integer;
BEGIN
    INSERT INTO fanout.backfill_def AS b (subscription_id, table_oid, schema_name, table_name,
        paused, cancelled)
    SELECT def.id, v.table_oid, v.schema_name, v.table_name, NOT cancel, cancel
    FROM fanout._backfills(def.id) v JOIN fanout._chosen_tables(def, tables) c USING (table_oid)
    WHERE NOT v.finished
    ON CONFLICT ON CONSTRAINT backfill_def_pkey DO UPDATE
        SET paused = EXCLUDED.paused, cancelled = EXCLUDED.cancelled
        WHERE (b.paused, b.cancelled) IS DISTINCT FROM (EXCLUDED.paused, EXCLUDED.cancelled);
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM pg_notify('pg_fanout', 'config');
    RETURN changed;
END
$body$;
COMMENT ON FUNCTION fanout._stop_backfill(fanout.subscription_def, text[], boolean) IS
    'Internal: pauses or cancels the unfinished copies among some tables';

CREATE FUNCTION fanout.pause_backfill(subscription text, tables text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
BEGIN
    IF tables IS NULL AND NOT def.backfill_paused THEN
        UPDATE fanout.subscription_def d SET backfill_paused = true WHERE d.id = def.id;
        PERFORM pg_notify('pg_fanout', 'config');
    ELSIF tables IS NULL OR fanout._stop_backfill(def, tables, false) = 0 THEN
        RAISE NOTICE 'subscription "%" has no backfill that could be paused', subscription;
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout.pause_backfill(text, text[]) IS
    'Stops copying existing rows of a subscription, or of some of its tables (names or patterns), '
    'until fanout.resume_backfill(). Without tables it holds for those that match later, too. '
    'Changes are delivered meanwhile, and what was copied is kept up to date.';

CREATE FUNCTION fanout.resume_backfill(subscription text, tables text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
    changed integer;
BEGIN
    IF tables IS NOT NULL AND def.backfill_paused THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('all backfills of subscription "%s" are paused', subscription),
            HINT = format('Resume them all: SELECT fanout.resume_backfill(%L); and pause some '
                'tables again if need be.', subscription);
    END IF;
    UPDATE fanout.subscription_def d SET backfill_paused = false
        WHERE d.id = def.id AND d.backfill_paused;
    UPDATE fanout.backfill_def b SET paused = false
        FROM fanout._chosen_tables(def, tables) c
        WHERE b.subscription_id = def.id AND b.table_oid = c.table_oid AND b.paused;
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM pg_notify('pg_fanout', 'config');
    IF changed = 0 AND NOT def.backfill_paused THEN
        RAISE NOTICE 'subscription "%" has no backfill that is paused', subscription;
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout.resume_backfill(text, text[]) IS
    'Lets paused backfills of a subscription, or of some of its tables, go on where they were.';

CREATE FUNCTION fanout.cancel_backfill(subscription text, tables text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
BEGIN
    IF fanout._stop_backfill(def, tables, true) = 0 THEN
        RAISE NOTICE 'subscription "%" has no backfill that could be cancelled', subscription;
    END IF;
    PERFORM fanout._try_failed_again(def.id);
END
$body$;
COMMENT ON FUNCTION fanout.cancel_backfill(text, text[]) IS
    'Gives up the unfinished backfills of a subscription, or of some of its tables: what was copied '
    'stays, and changes are delivered as they come, so rows that were never copied are missing at '
    'the target. fanout.resync() copies the table after all.';
