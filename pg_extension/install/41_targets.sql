-- Targets: a connector and its options, under a name.

CREATE FUNCTION fanout.create_target(name text, connector text, options jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM fanout._require_name('target', name);
    PERFORM fanout._require_name('connector', connector);
    PERFORM fanout._require_object('options', options);
    PERFORM fanout._check_options(connector, options);
    INSERT INTO fanout.target_def (name, connector, options, owner)
    VALUES (create_target.name, create_target.connector, create_target.options, current_user)
    ON CONFLICT ON CONSTRAINT target_def_name DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42710',
            MESSAGE = format('target "%s" exists already', name),
            HINT = format('Choose another name, or drop it first: SELECT fanout.drop_target(%L);',
                name);
    END IF;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.create_target(text, text, jsonb) IS
    'Names a target: a connector (see the view fanout.connectors) and its options. Options are '
    'checked here, the target itself is reached by fanoutd. Secret options are given as references '
    'that fanoutd resolves: ${env:NAME}, ${file:/path} or ${credential:name}.';

CREATE FUNCTION fanout.drop_target(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    target integer;
    users text[];
BEGIN
    -- Waits for a subscription that is just being created on it.
    SELECT t.id INTO target FROM fanout.target_def t WHERE t.name = drop_target.name FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM fanout._no_target(name);
    END IF;
    users := ARRAY(SELECT s.name FROM fanout.subscription_def s WHERE s.target_id = target);
    IF users <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = format('target "%s" is in use', name),
            DETAIL = format('Subscriptions that deliver to it: %s.', fanout._in_words(users)),
            HINT = format('Drop them first: SELECT fanout.drop_subscription(%L);',
                (SELECT min(u COLLATE "C") FROM unnest(users) AS u));
    END IF;
    DELETE FROM fanout.target_def t WHERE t.id = target;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.drop_target(text) IS
    'Forgets a target that no subscription uses. What was delivered stays where it is.';
