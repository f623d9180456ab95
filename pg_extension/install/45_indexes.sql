-- Secondary indexes of a table, for a copy of it in another PostgreSQL.

-- `tail`: what stands behind the table's name. The server writes names quoted where they must be, and
-- this one always with its schema, so the part before is known exactly.
CREATE FUNCTION fanout._secondary_indexes(tab oid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(jsonb_agg(jsonb_build_object('name', x.relname, 'unique', i.indisunique,
            'tail', substr(pg_get_indexdef(x.oid), char_length(format('CREATE %sINDEX %I ON %s%I.%I ',
                CASE WHEN i.indisunique THEN 'UNIQUE ' END, x.relname,
                CASE WHEN x.relkind = 'I' THEN 'ONLY ' END, n.nspname, t.relname)) + 1))
        ORDER BY x.relname), '[]')
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE i.indrelid = tab AND i.indisvalid AND i.indisready AND NOT i.indisprimary
        AND NOT i.indisexclusion
$body$;
COMMENT ON FUNCTION fanout._secondary_indexes(oid) IS
    'Internal: the indexes that a copy of a table is given once it is complete';
