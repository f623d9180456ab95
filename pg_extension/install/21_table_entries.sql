-- Entries of a subscription's list of tables that choose rows and columns.

CREATE FUNCTION fanout._carried_as(entries text[], via_root boolean, table_oid oid,
    OUT carrier oid, OUT entry text) RETURNS record
LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'fanout_carried_as';
COMMENT ON FUNCTION fanout._carried_as(text[], boolean, oid) IS
    'Internal: under which table''s name the rows of a table go out, and which entry decides; null '
    'if none matches the table, or one above it';

CREATE FUNCTION fanout._why_not_as(table_oid oid, above oid) RETURNS text
LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'fanout_why_not_as';
COMMENT ON FUNCTION fanout._why_not_as(oid, oid) IS
    'Internal: why the rows of a partition cannot go out as those of the table above; null if they '
    'can';

CREATE FUNCTION fanout._entry_for(entry text, table_oid oid, OUT columns text[],
    OUT predicate text, OUT masks jsonb) RETURNS record
LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'fanout_entry_for';
COMMENT ON FUNCTION fanout._entry_for(text, oid) IS
    'Internal: the columns, the predicate in one spelling, and the masks that an entry chooses for a '
    'table; null for all columns or rows, or no mask; an error if they cannot be had';

CREATE FUNCTION fanout._check_predicate(tab oid, predicate text) RETURNS text
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'fanout_check_predicate';
COMMENT ON FUNCTION fanout._check_predicate(oid, text) IS
    'Internal: a predicate on a table, checked and as the server writes it';

CREATE FUNCTION fanout._mask(value anyelement, mask text, typmod integer, secret bytea)
    RETURNS anyelement
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'fanout_mask';
COMMENT ON FUNCTION fanout._mask(anyelement, text, integer, bytea) IS
    'For fanoutd: what the stream carries in the place of a value that is masked';

CREATE FUNCTION fanout._utf8(value text) RETURNS bytea
LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'fanout_utf8';
COMMENT ON FUNCTION fanout._utf8(text) IS
    'For fanoutd: a text as the stream carries it, in UTF-8 whatever the encoding of the database';

CREATE FUNCTION fanout._stored_bytes(value "any") RETURNS bigint
LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'fanout_stored_bytes';
COMMENT ON FUNCTION fanout._stored_bytes("any") IS
    'For fanoutd: how many bytes a value of a variable length has, uncompressed, without reading it';

CREATE FUNCTION fanout._pieces(value "any", piece_bytes integer) RETURNS SETOF bytea
LANGUAGE c STRICT STABLE ROWS 100 AS 'MODULE_PATHNAME', 'fanout_pieces';
COMMENT ON FUNCTION fanout._pieces("any", integer) IS
    'For fanoutd: a value as the stream carries it, piece by piece; no row if it is null';

-- The same without an error, for views.
CREATE FUNCTION fanout._filter_of(entry text, table_oid oid, OUT columns text[],
    OUT predicate text, OUT masks jsonb, OUT problem text, OUT remedy text) RETURNS record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    detail text;
BEGIN
    SELECT e.columns, e.predicate, e.masks
        INTO _filter_of.columns, _filter_of.predicate, _filter_of.masks
        FROM fanout._entry_for(entry, table_oid) e;
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR feature_not_supported
        OR program_limit_exceeded THEN
    GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        remedy = PG_EXCEPTION_HINT;
    problem := problem || coalesce(': ' || nullif(detail, ''), '');
END
$body$;
COMMENT ON FUNCTION fanout._filter_of(text, oid) IS
    'Internal: columns, predicate and masks that an entry chooses for a table, or what is wrong';

CREATE FUNCTION fanout._check_entries(tables text[], via_root boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
DECLARE
    given text;
    place integer;
    chosen record;
    decides boolean;
BEGIN
    FOR given, place IN SELECT e.entry, e.place
        FROM unnest(tables) WITH ORDINALITY AS e (entry, place) WHERE e.entry LIKE '{%'
    LOOP
        decides := array_position(tables, given) = place;
        IF decides THEN
            decides := false;
            FOR chosen IN SELECT t.table_oid FROM fanout._carried(tables, via_root) c
                JOIN fanout._table t USING (table_oid)
                WHERE c.entry = given ORDER BY t.schema_name, t.table_name
            LOOP
                decides := true;
                PERFORM fanout._entry_for(given, chosen.table_oid);
            END LOOP;
        END IF;
        IF NOT decides THEN
            RAISE EXCEPTION USING ERRCODE = '22023',
                MESSAGE = format('table entry %s has no effect', given),
                DETAIL = 'Other entries name the same tables. One decides: a name before a '
                    'pattern, then the first.',
                HINT = 'Name each table once.';
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout._check_entries(text[], boolean) IS
    'Internal: refuses entries whose rows or columns cannot be had, or that never decide';

CREATE FUNCTION fanout.publication_tables(publication text) RETURNS text[]
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    pub pg_publication;
    entries text[] := '{}';
    modern boolean := current_setting('server_version_num')::integer >= 150000;
    more text[];
BEGIN
    SELECT p.* INTO pub FROM pg_publication p WHERE p.pubname = publication;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('there is no publication "%s"', publication),
            HINT = 'The catalog pg_publication lists them.';
    END IF;
    IF pub.puballtables THEN
        RETURN ARRAY['/./'];
    END IF;
    EXECUTE format($query$
        SELECT coalesce(array_agg(CASE WHEN f.filter = '{}' THEN f.name
            ELSE (jsonb_build_object('table', f.name) || f.filter)::text END ORDER BY f.name), '{}')
        FROM (SELECT format('%%I.%%I', n.nspname, c.relname) AS name, %s AS filter
            FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = $1) AS f $query$,
        CASE WHEN modern THEN $filter$jsonb_strip_nulls(jsonb_build_object(
            'where', pg_get_expr(r.prqual, r.prrelid),
            'columns', (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))))$filter$
            ELSE '''{}''::jsonb' END) INTO entries USING pub.oid;
    IF modern THEN
        EXECUTE 'SELECT coalesce(array_agg(format(''%I.*'', n.nspname) ORDER BY n.nspname), ''{}'')
            FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid
            WHERE s.pnpubid = $1' INTO more USING pub.oid;
        entries := entries || more;
    END IF;
    RETURN entries;
END
$body$;
COMMENT ON FUNCTION fanout.publication_tables(text) IS
    'The tables of a publication as fanout.create_subscription() takes them, with its row filters '
    'and column lists (PostgreSQL 15 and later). As they are now: later changes of the publication '
    'are not followed.';
