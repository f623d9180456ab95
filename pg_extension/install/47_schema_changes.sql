-- Schema changes travel with the data: event triggers write them, in the transaction that makes
-- them, into fanout.ddl_event, whose rows the decoding worker recognises in the WAL. Not messages:
-- whoever may execute pg_logical_emit_message could forge those.
--
-- What has changed is found by comparing a table's catalog rows with what they were when this
-- transaction last recorded the table, or else before it. So it does not matter by which statement
-- and by which detour a table was changed. Nothing is remembered between transactions.
--
-- All of it runs in the transaction of whoever changes a schema: in PL/pgSQL, whose plans last as long
-- as the session. Functions in SQL would be planned at every call, which costs ten times more.

CREATE TABLE fanout.ddl_event (
    relation oid NOT NULL,
    kind text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    new_schema text,
    new_table text,
    column_name text,
    new_column text,
    before text,
    after text,
    missing text,
    first_rows boolean NOT NULL DEFAULT false,
    statement text NOT NULL,
    -- Of an index that is created. Masked values may be equal where others are not, and no expression
    -- expects them: clear_columns.
    used_columns text[],
    clear_columns text[]
);
ALTER TABLE fanout.ddl_event REPLICA IDENTITY FULL;
COMMENT ON TABLE fanout.ddl_event IS
    'Internal: always empty; schema changes pass through it into the WAL';

CREATE FUNCTION fanout._shape(relation oid, earlier boolean) RETURNS jsonb
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_shape';
COMMENT ON FUNCTION fanout._shape(oid, boolean) IS
    'Internal: fanout._catalog_shape() as it is now, or as it was when this transaction last '
    'recorded the relation or, if it never did, before this transaction';

CREATE FUNCTION fanout._shape_recorded(relation oid) RETURNS void
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_shape_recorded';
COMMENT ON FUNCTION fanout._shape_recorded(oid) IS
    'Internal: what fanout._shape() found last is what later changes are compared with';

-- Also of indexes, to find their tables. For comparing only: `default_id`, for the expression may be
-- about something that is gone; `places` of a partitioned table, whose descriptions of columns are
-- written anew by every statement that writes the rows of its partitions anew.
CREATE FUNCTION fanout._catalog_shape(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN (
    SELECT jsonb_build_object('schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
        'persistence', c.relpersistence, 'identity', c.relreplident,
        'partition_of', CASE WHEN c.relispartition THEN
            (SELECT i.inhparent::bigint FROM pg_inherits i WHERE i.inhrelid = c.oid) END,
        'index_of', (SELECT i.indrelid::bigint FROM pg_index i WHERE i.indexrelid = c.oid),
        'children', (SELECT coalesce(jsonb_agg(i.inhrelid::bigint ORDER BY i.inhrelid), '[]')
            FROM pg_inherits i WHERE i.inhparent = c.oid),
        'places', CASE WHEN c.relkind = 'p' THEN (SELECT jsonb_agg(a.ctid::text ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) END,
        'primary_key', (SELECT jsonb_agg(k.attnum ORDER BY k.place)
            FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
            WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts),
        'indexes', (SELECT coalesce(jsonb_object_agg(i.indexrelid::text, x.relname), '{}')
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND NOT i.indisprimary),
        -- One that is made concurrently is there before it is of use.
        'usable_indexes', (SELECT coalesce(jsonb_object_agg(i.indexrelid::text, x.relname), '{}')
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND NOT i.indisprimary AND i.indisvalid),
        'comment', (SELECT d.description FROM pg_description d WHERE d.objoid = c.oid
            AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0),
        'columns', (SELECT coalesce(jsonb_object_agg(a.attnum::text, jsonb_build_object(
                'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                'not_null', a.attnotnull, 'identity', a.attidentity, 'generated', a.attgenerated,
                'missing', CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1]
                    -- A partitioned table has no rows of its own.
                    WHEN c.relkind = 'p' THEN (SELECT (l.attmissingval::text::text[])[1]
                        FROM pg_partition_tree(c.oid) AS t JOIN pg_attribute l
                            ON l.attrelid = t.relid AND l.attname = a.attname
                        WHERE t.isleaf AND l.atthasmissing LIMIT 1) END,
                'default_id', (SELECT md5(regexp_replace(d.adbin::text, ':location -?\d+', '', 'g'))
                    FROM pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum),
                'comment', (SELECT d.description FROM pg_description d WHERE d.objoid = c.oid
                    AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum))), '{}')
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation AND c.relkind IN ('r', 'p', 'i', 'I') AND c.relpersistence <> 't'
      AND n.nspname <> ALL ('{pg_catalog, information_schema, pg_toast, fanout}'));
END
$body$;
COMMENT ON FUNCTION fanout._catalog_shape(oid) IS
    'Internal: a table or index as the catalogs that the caller sees describe it';

-- For people and for targets: without what is only for comparing.
CREATE FUNCTION fanout._shown_column(col jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object('type', col -> 'type',
        'not_null', col -> 'not_null', 'missing', col -> 'missing', 'comment', col -> 'comment',
        'identity', nullif(col -> 'identity', '""'), 'generated', nullif(col -> 'generated', '""'),
        'has_default', CASE WHEN col ->> 'default_id' IS NOT NULL THEN true END)));
END
$body$;
COMMENT ON FUNCTION fanout._shown_column(jsonb) IS
    'Internal: a column of fanout._catalog_shape() as a schema change tells it';

CREATE FUNCTION fanout._shown_key(shape jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN (
    SELECT jsonb_build_object('primary_key', coalesce((SELECT jsonb_agg(
            coalesce(shape #> ARRAY['columns', k.attnum, 'name'], 'null') ORDER BY k.place)
        FROM jsonb_array_elements_text(nullif(shape -> 'primary_key', 'null'))
            WITH ORDINALITY AS k (attnum, place)), '[]')));
END
$body$;
COMMENT ON FUNCTION fanout._shown_key(jsonb) IS
    'Internal: the primary key of fanout._catalog_shape() by the names of its columns';

CREATE FUNCTION fanout._shown_table(shape jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object('columns', (SELECT coalesce(jsonb_agg(
                jsonb_build_object('name', c.value -> 'name') || fanout._shown_column(c.value)
                ORDER BY c.key::integer), '[]')
            FROM jsonb_each(shape -> 'columns') AS c),
        'partition', CASE WHEN nullif(shape -> 'partition_of', 'null') IS NOT NULL THEN true END,
        'comment', shape -> 'comment')) || fanout._shown_key(shape));
END
$body$;
COMMENT ON FUNCTION fanout._shown_table(jsonb) IS
    'Internal: fanout._catalog_shape() as the creation or the end of a table tells it';

-- As the copies make them: sidecar/source/table_indexes.cpp. `using` is left out where no target gets
-- it. Constraints that are checked late allow for a moment what an index would refuse.
CREATE FUNCTION fanout._shown_index(index oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object('index', c.relname, 'definition', d.definition,
        'unique', CASE WHEN i.indisunique AND i.indimmediate THEN true END,
        'using', CASE WHEN NOT i.indisexclusion AND starts_with(d.definition, d.head)
            -- A replica identity without a primary key is the key of a table that is made.
            AND NOT (t.relreplident = 'i' AND i.indisreplident AND NOT EXISTS (SELECT FROM pg_index p
                WHERE p.indrelid = t.oid AND p.indisprimary AND p.indisvalid))
            THEN substr(d.definition, length(d.head) + 1) END))
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    CROSS JOIN LATERAL (SELECT pg_get_indexdef(c.oid), format('CREATE %sINDEX %I ON %s%I.%I USING ',
        CASE WHEN i.indisunique THEN 'UNIQUE ' END, c.relname,
        CASE WHEN c.relkind = 'I' THEN 'ONLY ' END, n.nspname, t.relname)) AS d (definition, head)
    WHERE i.indexrelid = index);
END
$body$;
COMMENT ON FUNCTION fanout._shown_index(oid) IS 'Internal: an index as its creation tells it';

-- In an order in which they can be applied one after the other.
CREATE FUNCTION fanout._shape_changes(old jsonb, new jsonb)
    RETURNS TABLE (kind text, column_name text, new_column text, before jsonb, after jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH col AS (
        SELECT attnum::integer, o.value AS o, n.value AS n, o.value ->> 'name' AS old_name,
            n.value ->> 'name' AS new_name
        FROM (SELECT e.key AS attnum, e.value FROM jsonb_each(old -> 'columns') AS e) AS o
        FULL JOIN (SELECT e.key AS attnum, e.value FROM jsonb_each(new -> 'columns') AS e) AS n
            USING (attnum)
        WHERE old IS NOT NULL AND new IS NOT NULL
    ),
    found (place, attnum, kind, column_name, new_column, before, after) AS (
        SELECT 1, 0, 'create_table', NULL, NULL, NULL::jsonb, fanout._shown_table(new)
        WHERE new IS NOT NULL AND (old IS NULL
            OR old ->> 'persistence' = 'u' AND new ->> 'persistence' = 'p')
        UNION ALL
        SELECT 2, 0, 'drop_table', NULL, NULL, fanout._shown_table(old), NULL WHERE new IS NULL
        UNION ALL
        SELECT 3, 0, 'rename_table', NULL, NULL, NULL, NULL
        WHERE (old -> 'schema', old -> 'name') <> (new -> 'schema', new -> 'name')
        UNION ALL
        SELECT 4, 0, 'other', NULL, NULL, jsonb_build_object('persistence', 'logged'),
            jsonb_build_object('persistence', 'unlogged')
        WHERE old ->> 'persistence' = 'p' AND new ->> 'persistence' = 'u'
        UNION ALL
        SELECT 5, attnum, 'drop_column', old_name, NULL, fanout._shown_column(o), NULL
        FROM col WHERE n IS NULL
        UNION ALL
        SELECT 6, attnum, 'rename_column', old_name, new_name, NULL, NULL
        FROM col WHERE old_name <> new_name
        UNION ALL
        SELECT 7, attnum, 'alter_type', new_name, new_name, fanout._shown_column(o),
            fanout._shown_column(n)
        FROM col WHERE (o -> 'type') <> (n -> 'type')
        UNION ALL
        SELECT 8, attnum, 'add_column', NULL, new_name, NULL, fanout._shown_column(n)
        FROM col WHERE o IS NULL
        UNION ALL
        SELECT 9, 0, 'alter_key', NULL, NULL, fanout._shown_key(old), fanout._shown_key(new)
        WHERE (old -> 'primary_key') <> (new -> 'primary_key')
        UNION ALL
        SELECT 10, attnum, 'alter_nullable', new_name, new_name,
            jsonb_build_object('not_null', o -> 'not_null'),
            jsonb_build_object('not_null', n -> 'not_null')
        FROM col WHERE (o -> 'not_null') <> (n -> 'not_null')
        UNION ALL
        SELECT 11, attnum, 'alter_default', new_name, new_name, fanout._shown_column(o),
            fanout._shown_column(n)
        FROM col WHERE (o -> 'default_id', o -> 'identity', o -> 'generated')
            <> (n -> 'default_id', n -> 'identity', n -> 'generated')
        UNION ALL
        SELECT 12, 0, CASE WHEN new -> 'partition_of' = 'null' THEN 'detach_partition'
            ELSE 'attach_partition' END, NULL, NULL, NULL, NULL
        WHERE (old -> 'partition_of') <> (new -> 'partition_of')
        UNION ALL
        SELECT 13, 0, 'drop_index', NULL, NULL, jsonb_build_object('index', i.value), NULL
        FROM jsonb_each(old -> 'indexes') AS i
        WHERE new IS NOT NULL AND NOT (new -> 'indexes') ? i.key
            -- One that another type of a column has made anew is there still.
            AND NOT EXISTS (SELECT FROM jsonb_each(new -> 'indexes') AS n WHERE n.value = i.value)
        UNION ALL
        SELECT 13, 0, 'other', NULL, NULL, jsonb_build_object('index', o.value),
            jsonb_build_object('index', n.value)
        FROM jsonb_each(old -> 'indexes') AS o JOIN jsonb_each(new -> 'indexes') AS n USING (key)
        WHERE o.value <> n.value
        UNION ALL
        -- A table that becomes logged is new to everybody, like one that is created.
        SELECT 14, 0, 'create_index', NULL, NULL, NULL, fanout._shown_index(i.key::oid)
        FROM jsonb_each(new -> 'usable_indexes') AS i
        WHERE old IS NULL OR old ->> 'persistence' = 'u' AND new ->> 'persistence' = 'p'
            OR NOT (old -> 'usable_indexes') ? i.key AND NOT EXISTS (SELECT
                FROM jsonb_each(old -> 'usable_indexes') AS o WHERE o.value = i.value)
        UNION ALL
        SELECT 15, 0, 'other', NULL, NULL, jsonb_build_object('replica_identity', old -> 'identity'),
            jsonb_build_object('replica_identity', new -> 'identity')
        WHERE (old -> 'identity') <> (new -> 'identity')
        UNION ALL
        SELECT 16, 0, 'comment', NULL, NULL, jsonb_build_object('comment', old -> 'comment'),
            jsonb_build_object('comment', new -> 'comment')
        WHERE (old -> 'comment') <> (new -> 'comment')
        UNION ALL
        SELECT 17, attnum, 'comment', new_name, new_name,
            jsonb_build_object('comment', o -> 'comment'),
            jsonb_build_object('comment', n -> 'comment')
        FROM col WHERE (o -> 'comment') <> (n -> 'comment')
    )
    SELECT f.kind, f.column_name, f.new_column, f.before, f.after
    FROM found f ORDER BY f.place, f.attnum;
END
$body$;
COMMENT ON FUNCTION fanout._shape_changes(jsonb, jsonb) IS
    'Internal: what makes one shape of a table another, step by step';

-- `rewrites`: its rows are about to be written anew, and come behind this. Rows are found again by
-- their place: reading through the table, which looks cheap once it is known to be empty, would make
-- transactions that are serializable depend on each other.
CREATE FUNCTION fanout._record_shape(relation oid, old jsonb, new jsonb, rewrites boolean)
    RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $body$
DECLARE
    sent text := left(current_query(), 4000);
    places tid[];
BEGIN
    IF old = new AND rewrites IS NOT TRUE THEN  -- most ALTER TABLEs are about how a table is stored
        PERFORM fanout._shape_recorded(relation);
        RETURN;
    END IF;
    WITH step (place, kind, named, column_name, new_column, before, after, missing, first_rows) AS (
        SELECT 0, 'rewrite', new, NULL, NULL, NULL, NULL, NULL, old ->> 'persistence' = 'u'
        WHERE rewrites
        UNION ALL
        SELECT c.place, c.kind, CASE WHEN c.kind IN ('rename_table', 'drop_table') THEN old
            ELSE new END, c.column_name, c.new_column, c.before::text, c.after::text,
            CASE WHEN c.kind = 'add_column' THEN c.after ->> 'missing' END, false
        FROM fanout._shape_changes(old, new) WITH ORDINALITY
            AS c (kind, column_name, new_column, before, after, place)
    ),
    made AS (
        INSERT INTO fanout.ddl_event (relation, kind, schema_name, table_name, new_schema,
            new_table, column_name, new_column, before, after, missing, first_rows, statement,
            used_columns, clear_columns)
        SELECT _record_shape.relation, s.kind, s.named ->> 'schema', s.named ->> 'name',
            new ->> 'schema', new ->> 'name', s.column_name, s.new_column, s.before, s.after,
            s.missing, s.first_rows, sent, i.plain || i.hidden,
            CASE WHEN i.indisunique THEN i.plain || i.hidden ELSE i.hidden END
        FROM step s LEFT JOIN LATERAL (SELECT x.indisunique,
                ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = x.indrelid
                    AND a.attnum = ANY (x.indkey)) AS plain,
                ARRAY(SELECT a.attname::text FROM pg_depend d JOIN pg_attribute a
                    ON a.attrelid = x.indrelid AND a.attnum = d.refobjsubid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid
                        AND a.attnum > 0 AND a.attnum <> ALL (x.indkey)) AS hidden
            FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
            WHERE x.indrelid = _record_shape.relation AND s.kind = 'create_index'
                AND c.relname = s.after::jsonb ->> 'index') AS i ON true
        ORDER BY s.place
        RETURNING ctid
    )
    SELECT array_agg(m.ctid) INTO places FROM made m;
    IF places IS NOT NULL THEN
        DELETE FROM fanout.ddl_event e WHERE e.ctid = ANY (places);
    END IF;
    PERFORM fanout._shape_recorded(relation);
END
$body$;
COMMENT ON FUNCTION fanout._record_shape(oid, jsonb, jsonb, boolean) IS
    'Internal: tells the decoding worker how a table has changed';

-- Where a partition is written anew, all of them are: the statement was about a table above. It has
-- changed that before it comes to the first partition, and not again until the next statement.
CREATE FUNCTION fanout._record_rewrite_above(partition oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    relation oid;
    old jsonb;
    new jsonb;
BEGIN
    FOR relation IN SELECT a.relid FROM pg_partition_ancestors(partition)
        WITH ORDINALITY AS a (relid, height) WHERE a.relid <> partition ORDER BY a.height DESC
    LOOP
        old := fanout._shape(relation, true);
        new := fanout._shape(relation, false);
        PERFORM fanout._record_shape(relation, old, new, (old -> 'places') <> (new -> 'places'));
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout._record_rewrite_above(oid) IS
    'Internal: tells the decoding worker, before the first partition is written anew, that all are';

-- A statement names a parent and means its children too, or an index and means its table.
CREATE FUNCTION fanout._record_ddl(relations oid[], rewrite_reason integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    queue oid[] := relations;
    seen oid[] := '{}';
    relation oid;
    old jsonb;
    new jsonb;
    present jsonb;
BEGIN
    WHILE cardinality(queue) > 0 LOOP
        relation := queue[1];
        queue := queue[2:];
        CONTINUE WHEN relation = ANY (seen);
        seen := seen || relation;
        old := fanout._shape(relation, true);
        new := fanout._shape(relation, false);
        present := coalesce(new, old);
        CONTINUE WHEN present IS NULL;
        IF present ->> 'kind' IN ('i', 'I') THEN
            queue := queue || (present ->> 'index_of')::oid;
            PERFORM fanout._shape_recorded(relation);  -- it may go in this transaction, too
            CONTINUE;
        END IF;
        IF rewrite_reason IS NULL THEN
            queue := queue || ARRAY(SELECT c::oid FROM jsonb_array_elements_text(
                coalesce(old -> 'children', '[]') || coalesce(new -> 'children', '[]')) AS c);
        END IF;
        IF rewrite_reason & 6 <> 0 AND new ->> 'persistence' = 'p'
            AND new -> 'partition_of' <> 'null' THEN
            PERFORM fanout._record_rewrite_above(relation);
        END IF;
        -- A table on its way to being unlogged writes its rows without WAL. 1: logged or unlogged,
        -- 2: a default, 4: a type; another access method alone (8) changes nothing.
        PERFORM fanout._record_shape(relation, old, new, CASE
            WHEN rewrite_reason & 1 <> 0 THEN new ->> 'persistence' = 'u'
            ELSE rewrite_reason & 6 <> 0 AND new ->> 'persistence' = 'p' END);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout._record_ddl(oid[], integer) IS
    'Internal: records what has changed of some relations, and of what hangs on them';

-- It must never fail what somebody wants to do to a table, even if the library of the extension is
-- gone: then rows go on in their new shape, and the targets have to be changed by hand.
CREATE FUNCTION fanout.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET jit = off SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET extra_float_digits = '1'
SET bytea_output = 'hex' SET xmlbinary = 'base64' SET lc_monetary = 'C'
SET plan_cache_mode = 'force_generic_plan'
AS $body$
DECLARE
    relations oid[];
    rewrite_reason integer;
BEGIN
    IF NOT EXISTS (SELECT FROM fanout.stream_def) THEN
        RETURN;
    END IF;
    IF tg_event = 'table_rewrite' THEN
        relations := ARRAY[pg_event_trigger_table_rewrite_oid()];
        rewrite_reason := pg_event_trigger_table_rewrite_reason();
    ELSIF tg_event = 'sql_drop' THEN
        relations := ARRAY(SELECT DISTINCT d.objid FROM pg_event_trigger_dropped_objects() AS d
            WHERE d.classid = 'pg_class'::regclass AND NOT d.is_temporary
              AND d.object_type IN ('table', 'table column', 'index') ORDER BY d.objid);
    ELSE
        relations := ARRAY(SELECT CASE WHEN c.classid = 'pg_class'::regclass THEN c.objid
                -- Whose index is called like it.
                ELSE (SELECT k.conrelid FROM pg_constraint k WHERE k.oid = c.objid) END
            FROM pg_event_trigger_ddl_commands() AS c
            WHERE c.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass)
                AND c.schema_name IS DISTINCT FROM 'pg_temp'
            UNION SELECT t.oid FROM pg_event_trigger_ddl_commands() AS c
                JOIN pg_class t ON t.relnamespace = c.objid AND t.relkind IN ('r', 'p')
            WHERE c.classid = 'pg_namespace'::regclass AND c.command_tag = 'ALTER SCHEMA'
            ORDER BY 1);
    END IF;
    IF relations <> '{}' THEN
        PERFORM fanout._record_ddl(relations, rewrite_reason);
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING USING MESSAGE = format('pg_fanout could not record this schema change: %s',
            SQLERRM),
        DETAIL = 'Rows go on in their new shape; subscriptions with on_ddl do not see the change.',
        HINT = 'Make the same change at the targets.';
END
$body$;
COMMENT ON FUNCTION fanout.on_ddl() IS
    'Internal: records schema changes for the subscriptions of this database';

CREATE EVENT TRIGGER fanout_on_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE INDEX',
        'ALTER INDEX', 'CREATE SCHEMA', 'ALTER SCHEMA', 'ALTER TYPE', 'ALTER VIEW',
        'ALTER SEQUENCE', 'COMMENT')
    EXECUTE FUNCTION fanout.on_ddl();
COMMENT ON EVENT TRIGGER fanout_on_ddl IS 'pg_fanout: records schema changes';
ALTER EVENT TRIGGER fanout_on_ddl ENABLE ALWAYS;
CREATE EVENT TRIGGER fanout_on_drop ON sql_drop EXECUTE FUNCTION fanout.on_ddl();
COMMENT ON EVENT TRIGGER fanout_on_drop IS 'pg_fanout: records what is dropped';
ALTER EVENT TRIGGER fanout_on_drop ENABLE ALWAYS;
CREATE EVENT TRIGGER fanout_on_rewrite ON table_rewrite EXECUTE FUNCTION fanout.on_ddl();
COMMENT ON EVENT TRIGGER fanout_on_rewrite IS
    'pg_fanout: records that the rows of a table are written anew';
ALTER EVENT TRIGGER fanout_on_rewrite ENABLE ALWAYS;

CREATE FUNCTION fanout._check_schema_changes()
    RETURNS TABLE (item text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT 'schema changes', CASE WHEN missing = '{}' THEN 'ok' ELSE 'warning' END,
        CASE WHEN missing = '{}' THEN 'recorded by event triggers'
            ELSE format('event triggers that do not fire: %s',
                array_to_string(missing, ', ')) END,
        (SELECT string_agg(format('ALTER EVENT TRIGGER %I ENABLE ALWAYS;', name), ' ')
            FROM unnest(missing) AS name)
    FROM (SELECT ARRAY(SELECT t.evtname::text FROM pg_event_trigger t
        WHERE t.evtname IN ('fanout_on_ddl', 'fanout_on_drop', 'fanout_on_rewrite')
          AND t.evtenabled NOT IN ('A', 'O') ORDER BY t.evtname)) AS found (missing)
$body$;
COMMENT ON FUNCTION fanout._check_schema_changes() IS
    'Internal: the part of fanout.check() about the recording of schema changes';
