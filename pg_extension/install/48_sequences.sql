-- Sequences: where they stand at the source goes to the target on request, and by option as they
-- advance. The target's own sequences are set, forward only; they have to be there.
--
-- Passes through a table into the WAL like schema changes do (47_schema_changes.sql).

CREATE TABLE fanout.sequence_event (
    subscription_id integer NOT NULL,
    schema_name text NOT NULL,
    sequence_name text NOT NULL,
    last_value bigint NOT NULL,
    increment bigint NOT NULL,
    is_called boolean NOT NULL
);
ALTER TABLE fanout.sequence_event REPLICA IDENTITY FULL;
COMMENT ON TABLE fanout.sequence_event IS
    'Internal: always empty; values of sequences pass through it into the WAL';

-- Up to where the target was told to set a sequence by the option. Losing it costs nothing.
CREATE UNLOGGED TABLE fanout.sequence_status (
    subscription_id integer NOT NULL REFERENCES fanout.subscription_def ON DELETE CASCADE,
    sequence oid NOT NULL,
    source_value bigint NOT NULL,
    target_value bigint NOT NULL,
    PRIMARY KEY (subscription_id, sequence)
);
COMMENT ON TABLE fanout.sequence_status IS
    'Internal: up to where the option sequences has set the sequences of targets';

-- Sequences that the columns of a subscription's tables own or take their values from, that do not
-- cycle, and that the subscription's owner may read. `last_value` is NULL where one has never been used.
CREATE FUNCTION fanout._sequences(subscription integer)
    RETURNS TABLE (sequence oid, schema_name text, sequence_name text, last_value bigint,
        increment bigint, bound bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $body$
    SELECT DISTINCT c.oid, n.nspname::text, c.relname::text, stand.last_value, s.seqincrement,
        CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END
    FROM fanout.subscription_def d
    JOIN fanout._table t ON (fanout._carried_as(d.tables, false, t.table_oid)).carrier IS NOT NULL
    JOIN pg_depend p ON p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
            AND p.refobjid = t.table_oid AND p.deptype IN ('a', 'i')
        OR p.classid = 'pg_attrdef'::regclass AND p.refclassid = 'pg_class'::regclass
            AND p.objid IN (SELECT f.oid FROM pg_attrdef f WHERE f.adrelid = t.table_oid)
    JOIN pg_class c ON c.relkind = 'S'
        AND c.oid = CASE WHEN p.classid = 'pg_class'::regclass THEN p.objid ELSE p.refobjid END
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_sequence s ON s.seqrelid = c.oid
    -- Only asked of what is a sequence, in whatever order this is carried out.
    CROSS JOIN LATERAL (SELECT CASE WHEN c.relkind = 'S'
            THEN CASE WHEN has_sequence_privilege(d.owner, c.oid, 'SELECT')
                THEN pg_sequence_last_value(c.oid) END END) AS stand (last_value)
    WHERE d.id = subscription AND NOT s.seqcycle AND c.relpersistence = 'p'
      AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(d.owner, c.oid, 'SELECT') END
$body$;
COMMENT ON FUNCTION fanout._sequences(integer) IS
    'Internal: the sequences behind the tables of a subscription, and where they stand';

CREATE FUNCTION fanout._send_sequence(subscription integer, schema_name text, sequence_name text,
    last_value bigint, increment bigint, is_called boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    place tid;
BEGIN
    INSERT INTO fanout.sequence_event AS e (subscription_id, schema_name, sequence_name, last_value,
        increment, is_called)
        VALUES (subscription, schema_name, sequence_name, last_value, increment, is_called)
        RETURNING e.ctid INTO place;
    DELETE FROM fanout.sequence_event e WHERE e.ctid = place;
END
$body$;
COMMENT ON FUNCTION fanout._send_sequence(integer, text, text, bigint, bigint, boolean) IS
    'Internal: tells the decoding worker where a sequence stands';

CREATE FUNCTION fanout._require_sequences(def fanout.subscription_def) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    connector text := (SELECT t.connector FROM fanout.target_def t WHERE t.id = def.target_id);
BEGIN
    IF NOT EXISTS (SELECT FROM fanout.connector_def c WHERE c.name = connector
            AND c.capabilities @> '{sequences}') THEN
        RAISE EXCEPTION USING ERRCODE = '0A000',
            MESSAGE = format('connector "%s" has no sequences to set', connector),
            HINT = 'Sequences are for targets that take over from the source: postgres.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._require_sequences(fanout.subscription_def) IS
    'Internal: refuses what needs sequences where a target has none';

-- With the definer's rights only behind the check that whoever calls may change the subscription.
CREATE FUNCTION fanout._sync_sequences(subscription integer, ahead boolean) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    seq record;
    known fanout.sequence_status;
    target bigint;
    sent integer := 0;
BEGIN
    FOR seq IN SELECT s.* FROM fanout._sequences(subscription) s ORDER BY s.schema_name,
        s.sequence_name
    LOOP
        target := seq.last_value;
        -- Of one that was never used only itself knows which value comes first: where it starts, or
        -- where setval() has put it. Nothing has to be ahead of it.
        CONTINUE WHEN target IS NULL AND ahead;
        IF target IS NULL THEN
            EXECUTE format('SELECT q.last_value FROM %I.%I AS q WHERE NOT q.is_called',
                seq.schema_name, seq.sequence_name) INTO target;
            CONTINUE WHEN target IS NULL;  -- used since; the next call has it
        END IF;
        IF ahead THEN
            SELECT t.* INTO known FROM fanout.sequence_status t
                WHERE t.subscription_id = subscription AND t.sequence = seq.sequence;
            -- Half of the way to where the target stands is used up before it is told anew; four
            -- times what was used since the last time, if that is more than a thousand.
            CONTINUE WHEN known.target_value IS NOT NULL
                AND sign(seq.increment) * (known.target_value - seq.last_value)
                    > abs(known.target_value - known.source_value) / 2;
            target := seq.last_value::numeric + sign(seq.increment) * least(
                greatest(1000 * abs(seq.increment),
                    4 * abs(seq.last_value - coalesce(known.source_value, seq.last_value))),
                abs(seq.bound::numeric - seq.last_value));
            INSERT INTO fanout.sequence_status AS t
                VALUES (subscription, seq.sequence, seq.last_value, target)
                ON CONFLICT ON CONSTRAINT sequence_status_pkey DO UPDATE
                    SET source_value = EXCLUDED.source_value, target_value = EXCLUDED.target_value;
        END IF;
        PERFORM fanout._send_sequence(subscription, seq.schema_name, seq.sequence_name, target,
            seq.increment, seq.last_value IS NOT NULL);
        sent := sent + 1;
    END LOOP;
    RETURN sent;
END
$body$;
COMMENT ON FUNCTION fanout._sync_sequences(integer, boolean) IS
    'Internal: sends the sequences of a subscription that have advanced; ahead: with a margin';

CREATE FUNCTION fanout.sync_sequences(subscription text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def fanout.subscription_def := fanout._find_subscription(subscription);
BEGIN
    PERFORM fanout._require_sequences(def);
    RETURN fanout._sync_sequences(def.id, false);
END
$body$;
COMMENT ON FUNCTION fanout.sync_sequences(text) IS
    'Sets the sequences behind the tables of a subscription at its target to where they stand here, '
    'or leaves them where they are further on. For taking over: stop writing, call it, '
    'fanout.wait_for(), switch. Returns how many were sent; those the target lacks are passed over.';

-- With each report of fanoutd about the subscription: it reports when rows have arrived.
CREATE FUNCTION fanout._keep_sequences_ahead(subscription integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF EXISTS (SELECT FROM fanout.subscription_def d WHERE d.id = subscription AND NOT d.paused
            AND d.options -> 'sequences' = 'true') THEN
        PERFORM fanout._sync_sequences(subscription, true);
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._keep_sequences_ahead(integer) IS
    'Internal: the option sequences';
