-- Subscriptions: which tables go to which target, and for whom.
--
-- The decoding worker follows the rows of fanout.subscription_def in the WAL: what it carries
-- changes exactly at the commit that changed the row.

-- The tables that can be carried: plain tables and partitions, permanent, not the system's; with
-- the option via_root partitioned tables, too.
CREATE VIEW fanout._table AS
    SELECT c.oid AS table_oid, n.nspname::text AS schema_name, c.relname::text AS table_name,
        format('%I.%I', n.nspname, c.relname) AS full_name,
        CASE c.relreplident
            WHEN 'f' THEN 'full'
            WHEN 'd' THEN coalesce((SELECT 'primary key' FROM pg_index i
                WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid),
                    'none')
            WHEN 'i' THEN coalesce((SELECT 'index ' || x.relname
                FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid), 'none')
            ELSE 'none'
        END AS identity,
        c.relrowsecurity AS row_security, c.relforcerowsecurity AS row_security_forced, c.relowner,
        c.relkind = 'p' AS is_partitioned
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
      AND n.nspname <> ALL ('{pg_catalog, information_schema, pg_toast, fanout}');
COMMENT ON VIEW fanout._table IS
    'Internal: the tables that can be carried, and what identifies their rows';

-- Every table against every entry: quick, but estimated so high that it would be compiled.
CREATE FUNCTION fanout._carried(tables text[], via_root boolean)
    RETURNS TABLE (table_oid oid, entry text)
LANGUAGE sql STABLE COST 100 ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT DISTINCT ON (c.carrier) c.carrier, c.entry
    FROM fanout._table t CROSS JOIN LATERAL fanout._carried_as(tables, via_root, t.table_oid) AS c
    WHERE c.carrier IS NOT NULL AND (via_root OR NOT t.is_partitioned)
    ORDER BY c.carrier
$body$;
COMMENT ON FUNCTION fanout._carried(text[], boolean) IS
    'Internal: the tables whose names rows go out under, and the entry that decides on each';

CREATE FUNCTION fanout._is_via_root(options jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(options @> '{"via_root": true}', false)
$body$;
COMMENT ON FUNCTION fanout._is_via_root(jsonb) IS
    'Internal: whether partitions go out under the name of the table above';

-- Row security of a table is the reader's to pass; the WAL does not know it.
CREATE FUNCTION fanout._may_carry(owner name, tab fanout._table) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce((SELECT r.rolsuper OR has_table_privilege(r.oid, tab.table_oid, 'SELECT') AND (
            NOT tab.row_security OR r.rolbypassrls
            OR pg_has_role(r.oid, tab.relowner, 'USAGE') AND NOT tab.row_security_forced)
        FROM pg_roles r WHERE r.rolname = owner), false)
$body$;
COMMENT ON FUNCTION fanout._may_carry(name, fanout._table) IS
    'Internal: whether a role may read the whole of a table';

-- Why a pattern without a match has none, as far as that can be told.
CREATE FUNCTION fanout._no_match(pattern text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    near record;
BEGIN
    SELECT format('%I.%I', n.nspname, c.relname) AS name, c.oid, c.relkind, CASE
            WHEN n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'fanout')
                THEN 'a system table'
            WHEN c.relkind = 'p' THEN 'partitioned' WHEN c.relkind = 'v' THEN 'a view'
            WHEN c.relkind = 'm' THEN 'a materialized view'
            WHEN c.relkind = 'f' THEN 'a foreign table'
            WHEN c.relpersistence = 't' THEN 'a temporary table'
            ELSE 'an unlogged table' END AS what
        INTO near
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND fanout.pattern_matches(pattern, n.nspname::text, c.relname::text)
        ORDER BY c.relkind <> 'p', 1 LIMIT 1;
    RAISE EXCEPTION USING ERRCODE = '42P01',
        MESSAGE = format('table pattern %s matches no table', quote_literal(pattern)),
        DETAIL = CASE WHEN near.name IS NULL THEN 'There is no such table.'
            ELSE format('%s is %s.', near.name, near.what) END,
        HINT = CASE
            WHEN near.relkind = 'p' THEN 'It has no partition yet. With "via_root": true in the '
                'options it is carried under its own name, and may be empty.'
            WHEN near.name IS NOT NULL THEN 'Only permanent tables can be carried: their changes '
                'are in the WAL.'
            ELSE 'Write schema.table, schema.* or /regular expression/ with the schema and in the '
                'exact case. '
                'Tables created later are included, but one must exist now.' END;
END
$body$;
COMMENT ON FUNCTION fanout._no_match(text) IS
    'Internal: the error for a table pattern without a match';

-- Checks the patterns for whoever is to read the tables; warns of those whose updates cannot be
-- carried whole.
CREATE FUNCTION fanout._check_tables(tables text[], reader name, via_root boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
    pattern text;
    tab fanout._table;
    seen oid[] := '{}';
BEGIN
    IF coalesce(cardinality(tables), 0) = 0 OR array_position(tables, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'a subscription needs tables',
            DETAIL = 'The array of tables is null, empty or has a null in it.',
            HINT = 'Pass names or patterns: ARRAY[''public.orders'', ''sales.*''].';
    END IF;
    FOREACH pattern IN ARRAY tables LOOP
        FOR tab IN SELECT t.* FROM fanout._carried(ARRAY[pattern], via_root) c
            JOIN fanout._table t USING (table_oid) ORDER BY t.schema_name, t.table_name
        LOOP
            IF NOT fanout._may_carry(reader, tab) THEN
                PERFORM fanout._deny(tab, reader);
            END IF;
            IF tab.identity = 'none' AND tab.table_oid <> ALL (seen) THEN
                RAISE WARNING USING MESSAGE = format('updates and deletes of %s arrive without a '
                    'key: targets cannot apply them', tab.full_name),
                    DETAIL = 'Nothing identifies its rows: no primary key that could, and no '
                        'replica identity.',
                    HINT = format('Add a primary key, or run: ALTER TABLE %s REPLICA IDENTITY '
                        'FULL;', tab.full_name);
            END IF;
            seen := seen || tab.table_oid;
        END LOOP;
        IF NOT FOUND THEN
            PERFORM fanout._no_match(pattern);
        END IF;
    END LOOP;
    PERFORM fanout._check_entries(tables, via_root);
    IF via_root THEN
        PERFORM fanout._check_partitions(tables);
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._check_tables(text[], name, boolean) IS
    'Internal: refuses table patterns that a role cannot subscribe to';

-- Partitions whose changes do not say what those of the table above have to.
CREATE FUNCTION fanout._unfit_partitions(tables text[]) RETURNS TABLE (full_name text, above text,
    problem text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT t.full_name, a.full_name, w.problem,
        format('ALTER TABLE %s REPLICA IDENTITY FULL;', t.full_name)
    FROM fanout._table t
    CROSS JOIN LATERAL fanout._carried_as(tables, true, t.table_oid) AS c
    JOIN fanout._table a ON a.table_oid = c.carrier
    CROSS JOIN LATERAL (SELECT fanout._why_not_as(t.table_oid, c.carrier)) AS w (problem)
    WHERE c.carrier <> t.table_oid AND NOT t.is_partitioned AND w.problem IS NOT NULL
$body$;
COMMENT ON FUNCTION fanout._unfit_partitions(text[]) IS
    'Internal: partitions that cannot go out under the name of the table above';

CREATE FUNCTION fanout._check_partitions(tables text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
    unfit record;
BEGIN
    FOR unfit IN SELECT u.* FROM fanout._unfit_partitions(tables) u ORDER BY u.full_name LOOP
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('partition %s cannot be carried as %s', unfit.full_name, unfit.above),
            DETAIL = format('%s.', regexp_replace(unfit.problem, ': ALTER TABLE.*', '')),
            HINT = unfit.remedy;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout._check_partitions(text[]) IS
    'Internal: refuses partitions that cannot go out under the name of the table above';

-- Before the first row that is hashed. A write, so not before the stream is there.
CREATE FUNCTION fanout._prepare_masks(tables text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF EXISTS (SELECT FROM unnest(tables) AS e WHERE e LIKE '{%' AND e::jsonb ? 'masks') THEN
        PERFORM fanout._make_mask_secret();
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._prepare_masks(text[]) IS
    'Internal: makes the secret of masks where tables have some';

CREATE FUNCTION fanout._deny(tab fanout._table, reader name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF has_table_privilege(reader, tab.table_oid, 'SELECT') THEN
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('row-level security hides rows of %s from %I', tab.full_name,
                reader),
            DETAIL = 'A subscription carries all rows of a table.',
            HINT = 'Have a role subscribe that may read all of it: the table''s owner, or one with '
                'BYPASSRLS.';
    END IF;
    RAISE EXCEPTION USING ERRCODE = '42501',
        MESSAGE = format('permission denied for table %s', tab.full_name),
        DETAIL = 'Whoever creates a subscription needs SELECT on its tables.',
        HINT = format('GRANT SELECT ON %s TO %I;', tab.full_name, reader);
END
$body$;
COMMENT ON FUNCTION fanout._deny(fanout._table, name) IS
    'Internal: the error for a table that its subscriber may not read';

-- The stream a new subscription joins; `main` is started for it if it never was.
CREATE FUNCTION fanout._join_stream(stream text) RETURNS fanout._stream
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    found fanout._stream;
BEGIN
    SELECT d.* INTO found FROM fanout._stream d WHERE d.name = stream;
    IF found.id IS NULL AND stream = 'main' THEN
        PERFORM fanout.start_stream('main');
    ELSIF found.id IS NULL THEN
        PERFORM fanout._no_stream(stream);
    END IF;
    -- One change of a stream's subscriptions after the other, so that positions follow their order.
    PERFORM FROM fanout.stream_def d WHERE d.name = stream FOR NO KEY UPDATE;
    SELECT d.* INTO found FROM fanout._stream d WHERE d.name = stream;
    IF NOT found.slot_usable THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('stream "%s" has no usable replication slot', stream),
            DETAIL = CASE WHEN found.restored THEN 'It was restored from a dump of another '
                'database.'
                ELSE format('Slot "%s" was dropped or has lost its WAL.', found.slot_name) END,
            HINT = format('Start it anew: SELECT fanout.start_stream(%L);', stream);
    END IF;
    IF NOT found.enabled THEN
        RAISE NOTICE USING MESSAGE = format('stream "%s" is stopped', stream),
            HINT = format('Nothing is delivered until SELECT fanout.start_stream(%L);', stream);
    END IF;
    RETURN found;
END
$body$;
COMMENT ON FUNCTION fanout._join_stream(text) IS
    'Internal: finds and locks the stream of a new subscription';

CREATE FUNCTION fanout.create_subscription(name text, target text, tables text[],
    options jsonb DEFAULT '{}',
    stream text DEFAULT 'main') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    target_def fanout.target_def;
    stream_def fanout._stream;
BEGIN
    PERFORM fanout._require_name('subscription', name);
    PERFORM fanout._require_stream_name(stream);
    SELECT t.* INTO target_def FROM fanout.target_def t WHERE t.name = target;
    IF NOT FOUND THEN
        PERFORM fanout._no_target(target);
    END IF;
    PERFORM fanout._check_subscription_options(options, target_def.connector);
    IF EXISTS (SELECT FROM fanout.subscription_def s WHERE s.name = create_subscription.name) THEN
        PERFORM fanout._duplicate_subscription(name);
    END IF;
    PERFORM fanout._check_tables(tables, current_user, fanout._is_via_root(options));
    stream_def := fanout._join_stream(stream);
    PERFORM fanout._prepare_masks(tables);
    -- A lock is a write, so it has to wait until the stream is there.
    PERFORM FROM fanout.target_def t WHERE t.id = target_def.id FOR KEY SHARE;
    IF NOT FOUND THEN
        PERFORM fanout._no_target(target);
    END IF;
    INSERT INTO fanout.subscription_def (name, target_id, stream_id, generation, tables, options,
        owner, start_lsn,
        system_identifier, database_oid)
    SELECT create_subscription.name, target_def.id, stream_def.id, stream_def.generation,
        create_subscription.tables, create_subscription.options, current_user,
        pg_current_wal_insert_lsn(), h.system_identifier, h.database_oid
    FROM fanout._here h
    ON CONFLICT ON CONSTRAINT subscription_def_name DO NOTHING;
    IF NOT FOUND THEN
        PERFORM fanout._duplicate_subscription(name);
    END IF;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.create_subscription(text, text, text[], jsonb, text) IS
    'Delivers the changes of tables to a target, from this commit on. Tables are names or patterns: '
    'schema.table, schema.*, /regular expression/ matched against schema.table; tables created '
    'later that match are included. One may also be a JSON object that chooses rows and columns: '
    '{"table": "public.orders", "where": "total > 100", "columns": ["id", "total"]}. The caller '
    'needs SELECT on them and stays their reader. The view fanout.subscription_options lists the '
    'options. The stream main is started if it never was, which must come before any write of the '
    'transaction.';

CREATE FUNCTION fanout._duplicate_subscription(name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '42710',
        MESSAGE = format('subscription "%s" exists already', name),
        HINT = format('Choose another name, or drop it first: SELECT fanout.drop_subscription(%L);',
            name);
END
$body$;
COMMENT ON FUNCTION fanout._duplicate_subscription(text) IS
    'Internal: the error for a subscription that exists already';

-- Locks the subscription for a change of it.
CREATE FUNCTION fanout._find_subscription(name text) RETURNS fanout.subscription_def
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    found fanout.subscription_def;
BEGIN
    SELECT s.* INTO found FROM fanout.subscription_def s
        WHERE s.name = _find_subscription.name FOR UPDATE;
    IF found.id IS NULL THEN
        PERFORM fanout._no_subscription(name);
    END IF;
    RETURN found;
END
$body$;
COMMENT ON FUNCTION fanout._find_subscription(text) IS
    'Internal: finds and locks a subscription, or raises the error for its absence';

CREATE FUNCTION fanout.drop_subscription(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(name);
BEGIN
    DELETE FROM fanout.subscription_def s WHERE s.id = def.id;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.drop_subscription(text) IS
    'Ends a subscription. What was delivered stays at the target, and so does the cursor that is '
    'kept there.';

CREATE FUNCTION fanout.pause_subscription(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(name);
BEGIN
    IF def.paused THEN
        RAISE NOTICE 'subscription "%" is paused already', name;
        RETURN;
    END IF;
    UPDATE fanout.subscription_def s SET paused = true, revision = s.revision + 1
        WHERE s.id = def.id;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.pause_subscription(text) IS
    'Stops delivery to the target of a subscription until fanout.resume_subscription(). The state '
    'is "pausing" until the lane has finished what it had in hand, then "paused". Changes '
    'wait in fanoutd''s journal; other subscriptions and the WAL of this server are not held up.';

-- A subscription that came with a dump begins here and now: its past is in another database's WAL.
CREATE FUNCTION fanout._adopt_subscription(def fanout.subscription_def) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    stream fanout._stream := fanout._join_stream((SELECT d.name FROM fanout.stream_def d
        WHERE d.id = def.stream_id));
BEGIN
    UPDATE fanout.subscription_def s
    SET paused = false, revision = s.revision + 1, generation = stream.generation,
        start_lsn = pg_current_wal_insert_lsn(),
        system_identifier = h.system_identifier, database_oid = h.database_oid
    FROM fanout._here h WHERE s.id = def.id;
    -- The tables have other identifiers here. Two may have changed places, so not one by one.
    WITH here AS (
        DELETE FROM fanout.backfill_def b WHERE b.subscription_id = def.id RETURNING b.*)
    INSERT INTO fanout.backfill_def
    SELECT b.subscription_id, t.table_oid, b.schema_name, b.table_name, b.generation, b.predicate,
        b.on_nonempty, b.paused, b.cancelled, b.requested_at
    FROM here b JOIN fanout._table t USING (schema_name, table_name);
    RAISE NOTICE USING MESSAGE = format('subscription "%s" was restored from a dump and starts '
        'from now', def.name),
        HINT = 'Changes made before are not delivered; make sure that nobody else delivers to the '
            'same target.';
END
$body$;
COMMENT ON FUNCTION fanout._adopt_subscription(fanout.subscription_def) IS
    'Internal: starts a subscription that was restored from a dump';

CREATE FUNCTION fanout.resume_subscription(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(name);
    state text := (SELECT v.state FROM fanout.subscriptions v
        WHERE v.name = resume_subscription.name);
BEGIN
    IF state = 'needs_resync' THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('subscription "%s" cannot go on: it has lost changes', name),
            HINT = format('Bring its target up to date, then SELECT fanout.drop_subscription(%L); '
                'and create it again.', name);
    ELSIF state = 'restored' THEN
        PERFORM fanout._adopt_subscription(def);
    ELSIF def.paused OR state IN ('failed', 'denied', 'retrying') THEN
        UPDATE fanout.subscription_def s SET paused = false, revision = s.revision + 1
            WHERE s.id = def.id;
        UPDATE fanout.subscription_status s SET state = 'starting' WHERE s.subscription_id = def.id;
    ELSE
        RAISE NOTICE 'subscription "%" is not paused', name;
        RETURN;
    END IF;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.resume_subscription(text) IS
    'Lets a paused subscription go on where it was, and makes fanoutd try one again that has '
    'failed. A subscription that was restored from a dump starts from now, with a notice.';
