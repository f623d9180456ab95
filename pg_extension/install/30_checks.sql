-- Checks of arguments, and the facts about this server that several functions need.
-- Names that begin with an underscore are internal: no promise is made about them.

CREATE FUNCTION fanout._require_name(kind text, name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = format('the name of the %s is null', kind);
    END IF;
    IF char_length(name) NOT BETWEEN 1 AND 63 OR name ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION USING ERRCODE = '42602',
            MESSAGE = format('invalid name for a %s: "%s"', kind,
                regexp_replace(left(name, 80), '[[:cntrl:]]', '?', 'g')),
            DETAIL = format('It has %s characters.', char_length(name)),
            HINT = 'A name has 1 to 63 characters and no control characters.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._require_name(text, text) IS
    'Internal: refuses a name that is null, empty, too long or not printable';

CREATE FUNCTION fanout._require_stream_name(name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM fanout._require_name('stream', name);
    IF name !~ '^[a-z0-9_]{1,40}$' THEN
        RAISE EXCEPTION USING ERRCODE = '42602',
            MESSAGE = format('invalid name for a stream: "%s"', name),
            HINT = 'A stream''s name becomes part of a slot''s name: 1 to 40 lower-case letters, '
                'digits and underscores.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._require_stream_name(text) IS
    'Internal: refuses a name that cannot be part of a slot name';

CREATE FUNCTION fanout._require_object(what text, options jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('the %s are null', what),
            HINT = 'Pass ''{}'' for none.';
    END IF;
    IF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('the %s are not a JSON object', what),
            DETAIL = format('They are of type %s.', jsonb_typeof(options)),
            HINT = 'Pass something like ''{"name": "value"}''.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._require_object(text, jsonb) IS
    'Internal: refuses options that are not a JSON object';

-- References are resolved by fanoutd alone; a value may be one, or hold some.
CREATE FUNCTION fanout._is_reference(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT value ~ ('^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}[:cntrl:]]+'
        '|credential:[A-Za-z0-9_.@-]+)\}$')
$body$;
COMMENT ON FUNCTION fanout._is_reference(text) IS
    'Internal: whether a value is ${env:NAME}, ${file:path} or ${credential:name}';

CREATE FUNCTION fanout._has_bad_reference(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT EXISTS (SELECT FROM regexp_matches(replace(value, '$${', ''), '\$\{[^}]*\}?', 'g') AS m
        WHERE NOT fanout._is_reference(m[1]))
$body$;
COMMENT ON FUNCTION fanout._has_bad_reference(text) IS
    'Internal: whether a value holds ${...} that is not a reference';

-- Password given in clear in a connection string, in libpq's two spellings or a URL of any kind.
CREATE FUNCTION fanout._has_inline_password(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT value ~* ('(^|[\s?&;])(password|sslpassword|passwd|pwd)\s*=\s*'
            '(?!''?\$\{(env|file|credential):)(?!''?''?([\s&;]|$))[^\s&;]')
        OR value ~* '^[a-z][a-z0-9+.-]*://[^/@:]*:(?!\$\{(env|file|credential):)[^/@]+@'
$body$;
COMMENT ON FUNCTION fanout._has_inline_password(text) IS
    'Internal: whether a connection string holds a password in clear';

CREATE FUNCTION fanout._in_words(items text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT string_agg(item, ', ' ORDER BY item COLLATE "C") FROM unnest(items) AS item
$body$;
COMMENT ON FUNCTION fanout._in_words(text[]) IS 'Internal: a sorted list for a message';

-- The error for something that is not there, with the names of what is.
CREATE FUNCTION fanout._no_such(kind text, name text, known text[], how_to_make_one text)
    RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM fanout._require_name(kind, name);
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('there is no %s "%s"', kind, name),
        HINT = CASE WHEN known = '{}' THEN format('There is none yet: SELECT %s;', how_to_make_one)
            ELSE format('There are: %s.', fanout._in_words(known)) END;
END
$body$;
COMMENT ON FUNCTION fanout._no_such(text, text, text[], text) IS
    'Internal: the error for an object that does not exist';

CREATE FUNCTION fanout._no_stream(name text) RETURNS void
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT fanout._no_such('stream', name, ARRAY(SELECT d.name FROM fanout.stream_def d),
        'fanout.start_stream()')
$body$;
COMMENT ON FUNCTION fanout._no_stream(text) IS
    'Internal: the error for a stream that does not exist';

CREATE FUNCTION fanout._no_target(name text) RETURNS void
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT fanout._no_such('target', name, ARRAY(SELECT t.name FROM fanout.target_def t),
        'fanout.create_target(name, connector, options)')
$body$;
COMMENT ON FUNCTION fanout._no_target(text) IS
    'Internal: the error for a target that does not exist';

CREATE FUNCTION fanout._no_subscription(name text) RETURNS void
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT fanout._no_such('subscription', name,
        ARRAY(SELECT s.name FROM fanout.subscription_def s),
        'fanout.create_subscription(name, target, tables)')
$body$;
COMMENT ON FUNCTION fanout._no_subscription(text) IS
    'Internal: the error for a subscription that does not exist';

CREATE FUNCTION fanout._option_fits(spec jsonb, value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT jsonb_typeof(value) IN ('string', 'number', 'boolean') AND CASE spec ->> 'type'
        WHEN 'integer' THEN (value #>> '{}') ~ '^-?[0-9]{1,18}$'
        WHEN 'boolean' THEN (value #>> '{}') IN ('true', 'false', 'on', 'off', 'yes', 'no')
        WHEN 'size' THEN (value #>> '{}') ~ '^[0-9]{1,15} ?(B|kB|MB|GB)?$'
        WHEN 'enum' THEN spec -> 'choices' ? (value #>> '{}')
        ELSE jsonb_typeof(value) = 'string'
    END
$body$;
COMMENT ON FUNCTION fanout._option_fits(jsonb, jsonb) IS
    'Internal: whether a value has the type its option wants';

CREATE FUNCTION fanout._check_option(spec jsonb, value jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    option text := spec ->> 'name';
    plain text := value #>> '{}';
BEGIN
    IF jsonb_typeof(value) = 'string' AND fanout._is_reference(plain) THEN
        RETURN;
    END IF;
    IF (spec ->> 'secret')::boolean THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('option "%s" is secret and may not be given in clear', option),
            HINT = format('Use a reference that fanoutd resolves: {"%s": "${env:NAME}"}, '
                '"${file:/path}" or "${credential:name}".', option);
    END IF;
    IF fanout._has_bad_reference(plain) THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('option "%s" has an invalid reference: %s', option, left(plain, 200)),
            HINT = 'A reference is ${env:NAME}, ${file:/path} or ${credential:name}; write $${ for '
                'a literal ${.';
    END IF;
    IF NOT fanout._option_fits(spec, value) THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid value for option "%s": %s', option, left(value::text, 200)),
            DETAIL = coalesce(spec ->> 'help', 'The view fanout.connectors describes it.'),
            HINT = CASE spec ->> 'type'
                WHEN 'integer' THEN 'It takes a whole number.'
                WHEN 'boolean' THEN 'It takes true or false.'
                WHEN 'size' THEN 'It takes a number of bytes, or one with kB, MB or GB: "16MB".'
                WHEN 'enum' THEN format('It takes one of: %s.', (SELECT string_agg(choice, ', ')
                    FROM jsonb_array_elements_text(spec -> 'choices') AS choice))
                ELSE 'It takes a string.'
            END;
    END IF;
    IF fanout._has_inline_password(plain) THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('option "%s" holds a password in clear', option),
            DETAIL = 'Options are kept in a table, are visible to administrators and are part of '
                'every dump.',
            HINT = 'Leave the password out and give it to fanoutd: by password=${env:NAME} (or '
                'file:, credential:), a password file (passfile=), or a service.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._check_option(jsonb, jsonb) IS
    'Internal: refuses an option''s value that its connector could not use';

CREATE FUNCTION fanout._check_options(connector text, options jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    specs jsonb := (SELECT c.options FROM fanout.connector_def c WHERE c.name = connector);
    known text[];
    spec jsonb;
    given text;
BEGIN
    IF specs IS NULL THEN
        known := (SELECT array_agg(c.name) FROM fanout.connector_def c);
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('there is no connector "%s"', connector),
            HINT = CASE WHEN known IS NULL
                THEN 'This extension was built without connectors: start fanoutd, which registers '
                    'those it finds.'
                ELSE format('Connectors: %s. See the view fanout.connectors.',
                    fanout._in_words(known)) END;
    END IF;
    known := ARRAY(SELECT s ->> 'name' FROM jsonb_array_elements(specs) AS s);
    FOR given IN SELECT k FROM jsonb_object_keys(options) AS k WHERE k <> ALL (known) LOOP
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('connector "%s" has no option "%s"', connector, given),
            HINT = CASE WHEN known = '{}' THEN
                    format('"%s" takes no options: pass ''{}''.', connector)
                ELSE format('Options of "%s": %s.', connector, fanout._in_words(known)) END;
    END LOOP;
    FOR spec IN SELECT s FROM jsonb_array_elements(specs) AS s LOOP
        given := spec ->> 'name';
        IF options ? given THEN
            PERFORM fanout._check_option(spec, options -> given);
        ELSIF (spec ->> 'required')::boolean THEN
            RAISE EXCEPTION USING ERRCODE = '22023',
                MESSAGE = format('connector "%s" needs option "%s"', connector, given),
                DETAIL = coalesce(spec ->> 'help', 'The view fanout.connectors describes it.'),
                HINT = format('Add "%s" to the options.', given);
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION fanout._check_options(text, jsonb) IS
    'Internal: refuses a target''s options that its connector does not take';

-- What only a privileged role may read and fanout.check() needs; it reveals counts and one setting.
CREATE FUNCTION fanout._server_facts(OUT plugin_libraries text, OUT workers_used integer,
    OUT senders_used integer)
RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT (SELECT s.setting FROM pg_settings s WHERE s.name = 'output_plugin_libraries'),
        (SELECT count(*)::integer FROM pg_stat_activity a WHERE a.backend_type NOT IN (
            'client backend', 'walsender', 'autovacuum launcher', 'autovacuum worker', 'checkpointer',
            'background writer', 'walwriter', 'startup', 'archiver', 'logger', 'walreceiver',
            'walsummarizer', 'slotsync worker', 'io worker', 'standalone backend')),
        (SELECT count(*)::integer FROM pg_stat_activity a WHERE a.backend_type = 'walsender')
$body$;
COMMENT ON FUNCTION fanout._server_facts() IS
    'Internal: what fanout.check() needs to know and its caller may not read';

-- One row: which cluster and database this is, and whether a fanoutd is connected to it. The last
-- must not depend on the first two, or it would be asked again for every row of a join.
CREATE VIEW fanout._here AS
    SELECT c.system_identifier::text AS system_identifier, d.oid AS database_oid,
        EXISTS (SELECT FROM pg_stat_activity a
            WHERE a.datname = current_database()
                AND a.application_name = 'fanoutd') AS daemon_connected
    FROM pg_control_system() c, pg_database d
    WHERE d.datname = current_database();
COMMENT ON VIEW fanout._here IS
    'Internal: stamps of this database, and whether fanoutd is connected';
