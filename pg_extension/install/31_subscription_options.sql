-- What may be said in the options of a subscription: one row each, from which the checks, their
-- messages and the view fanout.subscription_options follow.

CREATE VIEW fanout._subscription_option (name, kind, fallback, minimum, maximum, choices,
    capability, help) AS VALUES
    ('backfill', 'boolean', 'true'::jsonb, NULL::bigint, NULL::bigint, NULL::text[], NULL,
        'copy the rows that exist already, of tables that match later too'),
    ('bytes_per_second', 'size', NULL, 1024, 1::bigint << 40, NULL, NULL,
        'how much backfills may read from the source; unlimited if left out'),
    ('chunk_bytes', 'size', NULL, 65536, 67108864, NULL, NULL,
        'how much of a table one transaction at the source reads; fanoutd decides if left out'),
    ('create_indexes', 'boolean', NULL, NULL, NULL, NULL, 'indexes',
        'make the source''s secondary indexes at the target when a table''s rows are there; if left out, '
        'for tables that create_tables has made'),
    ('create_tables', 'boolean', 'false', NULL, NULL, NULL, 'create_tables',
        'create missing tables at the target'),
    ('messages', 'list', '[]', NULL, NULL, NULL, 'messages',
        'prefixes of the messages (pg_logical_emit_message) that are delivered, in full or with * at '
        'the end; none if left out'),
    ('on_ddl', 'enum', NULL, NULL, NULL, '{apply, hold, ignore}', 'ddl',
        'what follows when a table changes its shape: the target is changed, the subscription '
        'stops before it, or rows just go on; if left out, apply with create_tables, else ignore'),
    ('on_nonempty', 'enum', '"error"', NULL, NULL, '{error, truncate, upsert}', NULL,
        'what a backfill does with a target table that has rows'),
    ('on_reject', 'enum', '"stop"', NULL, NULL, '{stop, park}', NULL,
        'what follows when the target refuses a row for good: the subscription stops before it, or '
        'puts it aside in fanout.dead_letters and goes on'),
    ('rows_per_second', 'integer', NULL, 1, 1000000000, NULL, NULL,
        'how many rows backfills may read from the source; unlimited if left out'),
    ('sequences', 'boolean', 'false', NULL, NULL, NULL, 'sequences',
        'keep the target''s sequences ahead of those of the source, for taking over'),
    ('via_root', 'boolean', 'false', NULL, NULL, NULL, NULL,
        'partitions are carried under the name of the partitioned table that the list names; cannot be '
        'changed later'),
    ('workers', 'integer', NULL, 1, 32, NULL, NULL,
        'connections that backfills read with; fanoutd decides if left out');
COMMENT ON VIEW fanout._subscription_option IS
    'Internal: the options a subscription has; look at the view fanout.subscription_options';

CREATE VIEW fanout.subscription_options AS
    SELECT o.name, o.kind AS type, o.fallback AS "default",
        CASE WHEN o.choices IS NOT NULL THEN array_to_string(o.choices, ', ')
            WHEN o.minimum IS NOT NULL THEN format('%s to %s', o.minimum, o.maximum)
        END AS allowed, o.help
    FROM fanout._subscription_option o;
COMMENT ON VIEW fanout.subscription_options IS
    'Options of fanout.create_subscription() and fanout.alter_subscription()';
COMMENT ON COLUMN fanout.subscription_options.name IS 'Name of the option';
COMMENT ON COLUMN fanout.subscription_options.type IS
    'boolean, integer, enum; size: bytes, as a number or as text with kB, MB or GB; list: an array '
    'of texts';
COMMENT ON COLUMN fanout.subscription_options."default" IS 'What holds if it is left out';
COMMENT ON COLUMN fanout.subscription_options.allowed IS 'Range or choices, where there are';
COMMENT ON COLUMN fanout.subscription_options.help IS 'What it does';

-- A size in bytes; null if it is none.
CREATE FUNCTION fanout._size_bytes(value jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE WHEN jsonb_typeof(value) IN ('number', 'string')
        AND (value #>> '{}') ~ '^[0-9]{1,15} ?(B|kB|MB|GB)?$'
        THEN pg_size_bytes(regexp_replace(value #>> '{}', '([0-9]) ?B$', '\1')) END
$body$;
COMMENT ON FUNCTION fanout._size_bytes(jsonb) IS 'Internal: the value of an option of type size';

CREATE FUNCTION fanout._subscription_option_fits(spec fanout._subscription_option,
    value jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN coalesce(CASE spec.kind
        WHEN 'boolean' THEN jsonb_typeof(value) = 'boolean'
        WHEN 'integer' THEN jsonb_typeof(value) = 'number'
            AND CASE WHEN (value #>> '{}') ~ '^-?[0-9]{1,18}$'
                THEN (value #>> '{}')::bigint BETWEEN spec.minimum AND spec.maximum END
        WHEN 'size' THEN fanout._size_bytes(value) BETWEEN spec.minimum AND spec.maximum
        WHEN 'list' THEN jsonb_typeof(value) = 'array'
            AND NOT jsonb_path_exists(value, '$[*] ? (@.type() != "string" || @ == "")')
        WHEN 'enum' THEN jsonb_typeof(value) = 'string' AND (value #>> '{}') = ANY (spec.choices)
        ELSE jsonb_typeof(value) = 'string'
    END, false);
END
$body$;
COMMENT ON FUNCTION fanout._subscription_option_fits(fanout._subscription_option, jsonb) IS
    'Internal: whether a value has the type and range its option wants';

CREATE FUNCTION fanout._check_subscription_options(options jsonb, connector text,
    may_be_null boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    given record;
    spec fanout._subscription_option;
    able text[] := (SELECT c.capabilities FROM fanout.connector_def c WHERE c.name = connector);
BEGIN
    PERFORM fanout._require_object('options', options);
    FOR given IN SELECT e.key, e.value FROM jsonb_each(options) AS e LOOP
        SELECT o.* INTO spec FROM fanout._subscription_option o WHERE o.name = given.key;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = '22023',
                MESSAGE = format('a subscription has no option "%s"', given.key),
                HINT = format('Options: %s; the view fanout.subscription_options describes them. '
                    'How to reach the target is said in fanout.create_target().',
                    (SELECT fanout._in_words(array_agg(o.name))
                        FROM fanout._subscription_option o));
        ELSIF may_be_null AND given.value = 'null' THEN
            CONTINUE;
        ELSIF NOT fanout._subscription_option_fits(spec, given.value) THEN
            RAISE EXCEPTION USING ERRCODE = '22023',
                MESSAGE = format('invalid value for option "%s": %s', given.key,
                    left(given.value::text, 200)),
                DETAIL = format('%s: %s.', spec.name, spec.help),
                HINT = CASE spec.kind
                    WHEN 'boolean' THEN 'It takes true or false, without quotes.'
                    WHEN 'integer' THEN format('It takes a whole number from %s to %s, without '
                        'quotes.', spec.minimum, spec.maximum)
                    WHEN 'size' THEN format('It takes bytes from %s to %s: 8388608 or "8MB".',
                        spec.minimum, spec.maximum)
                    WHEN 'list' THEN 'It takes an array of texts: ["audit", "app.*"].'
                    WHEN 'enum' THEN format('It takes one of: %s.',
                        array_to_string(spec.choices, ', '))
                    ELSE 'It takes a string.'
                END;
        ELSIF spec.capability IS NOT NULL AND (given.value IN ('true', '"apply"')
                OR spec.kind = 'list' AND given.value <> '[]')
            AND NOT able @> ARRAY[spec.capability]
        THEN
            RAISE EXCEPTION USING ERRCODE = '22023',
                MESSAGE = format('connector "%s" does not support option "%s"%s', connector,
                    given.key, CASE WHEN spec.kind = 'enum'
                        THEN format(' as %s', given.value) ELSE '' END),
                DETAIL = format('%s: %s.', spec.name, spec.help),
                HINT = CASE WHEN spec.kind = 'enum' THEN format('Leave out "%s", or take another of: %s.',
                        given.key, array_to_string(spec.choices, ', '))
                    ELSE format('Leave out "%s".', given.key) END;
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout._check_subscription_options(jsonb, text, boolean) IS
    'Internal: refuses options that a subscription does not have';

-- The option as it holds for a subscription.
CREATE FUNCTION fanout._option(options jsonb, option text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(options -> option,
        (SELECT o.fallback FROM fanout._subscription_option o WHERE o.name = option))
$body$;
COMMENT ON FUNCTION fanout._option(jsonb, text) IS
    'Internal: an option of a subscription, or what holds if it was not given';

CREATE FUNCTION fanout._on_ddl(options jsonb, connector text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT coalesce(options ->> 'on_ddl', CASE
        WHEN fanout._option(options, 'create_tables') = 'true' AND EXISTS (
            SELECT FROM fanout.connector_def c
            WHERE c.name = connector AND c.capabilities @> '{ddl}') THEN 'apply'
        ELSE 'ignore' END)
$body$;
COMMENT ON FUNCTION fanout._on_ddl(jsonb, text) IS
    'Internal: what a subscription does about schema changes';
