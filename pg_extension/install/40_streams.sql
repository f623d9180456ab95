-- Streams: a slot, its place in the catalog, and the two switches a person has.
--
-- A slot is made and dropped at once; one that is made goes with its transaction if that is rolled
-- back (functions/slot_undo.cpp). Making one is only possible before the transaction has written
-- anything. Everything here follows from that.

-- State of the slots behind the streams. A slot counts only if it is of this database and of this
-- plugin: a name alone proves nothing in a cluster with several databases or after a restore.
CREATE VIEW fanout._stream AS
    SELECT d.id, d.name, d.slot_name, d.identity, d.generation, d.epoch, d.enabled, d.start_lsn,
        d.ring_bytes,
        (d.system_identifier, d.database_oid)
            IS DISTINCT FROM (h.system_identifier, h.database_oid) AS restored,
        s.slot_name IS NOT NULL AS slot_exists,
        s.slot_name IS NOT NULL AND s.wal_status IS DISTINCT FROM 'lost' AS slot_usable,
        s.active_pid, s.restart_lsn, s.confirmed_flush_lsn, s.wal_status
    FROM fanout.stream_def d
    CROSS JOIN fanout._here h
    LEFT JOIN pg_replication_slots s
        ON s.slot_name = d.slot_name AND s.database = current_database() AND s.plugin = 'pg_fanout'
        AND (d.system_identifier, d.database_oid) = (h.system_identifier, h.database_oid);
COMMENT ON VIEW fanout._stream IS 'Internal: streams with the state of their slots';

-- `fanout_main`, or with the database's OID behind it if another database has that one already.
CREATE FUNCTION fanout._slot_name_for(stream text) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    candidate name;
    here oid := (SELECT h.database_oid FROM fanout._here h);
BEGIN
    FOREACH candidate IN ARRAY
        ARRAY['fanout_' || stream, 'fanout_' || stream || '_' || here]::name[]
    LOOP
        IF NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.slot_name = candidate
                AND (s.database, s.plugin) IS DISTINCT FROM (current_database(), 'pg_fanout'::name))
           AND NOT EXISTS (SELECT FROM fanout.stream_def d WHERE d.slot_name = candidate
               AND d.name <> stream)
        THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = '42710',
        MESSAGE = format('replication slot "%s" is taken', candidate),
        DETAIL = 'It is another stream''s, another database''s, or of another output plugin.',
        HINT = 'Choose another name for the stream, or drop that slot if nobody uses it.';
END
$body$;
COMMENT ON FUNCTION fanout._slot_name_for(text) IS 'Internal: the name of the slot of a new stream';

CREATE FUNCTION fanout._refuse_written_transaction(stream text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '25001',
            MESSAGE = format('stream "%s" cannot be started by a transaction that has already '
                'written', stream),
            DETAIL = 'A replication slot can only be created before the first write of its '
                'transaction.',
            HINT = format('Run SELECT fanout.start_stream(%L); in a transaction of its own first.',
                stream);
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._refuse_written_transaction(text) IS
    'Internal: refuses to create a slot where PostgreSQL would';

-- Creating a slot waits for every transaction that is writing at that moment.
CREATE FUNCTION fanout._announce_wait() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    pids text := (SELECT string_agg(a.pid::text, ', ' ORDER BY a.pid) FROM pg_stat_activity a
        WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid()
          AND a.xact_start < clock_timestamp() - interval '1 second');
BEGIN
    IF pids IS NOT NULL THEN
        RAISE NOTICE USING MESSAGE = format('waiting for transactions that are writing, in '
            'processes %s', pids),
            HINT = 'A stream starts as soon as they have ended; pg_stat_activity shows what they '
                'do.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._announce_wait() IS
    'Internal: says what the creation of a slot is waiting for';

-- Makes the slot under `slot`. One that is there already is a leftover (of an extension that was
-- dropped) or has lost its WAL: nothing can be read from it, so it is replaced.
CREATE FUNCTION fanout._make_slot(slot name) RETURNS pg_lsn
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    existing record;
BEGIN
    SELECT s.active_pid INTO existing FROM pg_replication_slots s WHERE s.slot_name = slot;
    IF FOUND THEN
        IF existing.active_pid IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = '55006',
                MESSAGE = format('replication slot "%s" is in use by process %s', slot,
                    existing.active_pid),
                HINT = format('It belongs to no stream. End that process: SELECT '
                    'pg_terminate_backend(%s);', existing.active_pid);
        END IF;
        RAISE NOTICE USING MESSAGE = format('replication slot "%s" belongs to no stream or has '
            'lost its WAL; it is replaced', slot);
        PERFORM fanout.drop_slot(slot);
    END IF;
    PERFORM fanout._announce_wait();
    RETURN fanout.create_slot(slot);
END
$body$;
COMMENT ON FUNCTION fanout._make_slot(name) IS
    'Internal: creates the slot of a stream, in place of a leftover';

-- A new slot for the stream, under a new identity: no cursor of the old one is mistaken for it.
CREATE FUNCTION fanout._open_stream(stream text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    slot name := fanout._slot_name_for(stream);
    start pg_lsn := fanout._make_slot(slot);
BEGIN
    INSERT INTO fanout.stream_def AS d (name, slot_name, identity, start_lsn, system_identifier,
        database_oid)
    SELECT stream, slot, gen_random_uuid(), start, h.system_identifier, h.database_oid
        FROM fanout._here h
    ON CONFLICT ON CONSTRAINT stream_def_name DO UPDATE
        SET slot_name = EXCLUDED.slot_name, identity = EXCLUDED.identity,
            start_lsn = EXCLUDED.start_lsn,
            generation = d.generation + 1, enabled = true,
            system_identifier = EXCLUDED.system_identifier, database_oid = EXCLUDED.database_oid;
END
$body$;
COMMENT ON FUNCTION fanout._open_stream(text) IS
    'Internal: creates a slot and records it as that of the stream';

CREATE FUNCTION fanout._warn_of_gap(stream text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    behind text[] := ARRAY(SELECT u.name FROM fanout.subscription_def u
        JOIN fanout._stream d ON d.id = u.stream_id
        JOIN fanout._here h
            ON (u.system_identifier, u.database_oid) = (h.system_identifier, h.database_oid)
        WHERE d.name = stream AND (NOT d.slot_exists OR u.generation <> d.generation));
BEGIN
    IF behind <> '{}' THEN
        RAISE WARNING USING MESSAGE = format('these subscriptions of stream "%s" have lost changes '
            'and need a new start: %s',
                stream, fanout._in_words(behind)),
            DETAIL = 'Changes between the old slot and a new one are in no target.',
            HINT = 'Drop each with fanout.drop_subscription(), bring its target up to date, and '
                'create it again.';
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._warn_of_gap(text) IS
    'Internal: names the subscriptions that a change of slot leaves behind';

CREATE FUNCTION fanout.start_stream(stream text DEFAULT 'main') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def record;
BEGIN
    PERFORM fanout._require_stream_name(stream);
    SELECT d.* INTO def FROM fanout._stream d WHERE d.name = stream;
    IF def.slot_usable IS NOT TRUE THEN
        PERFORM fanout._refuse_written_transaction(stream);
        -- Not a lock on a row: that would be a write. Whoever comes second finds the slot made.
        PERFORM pg_advisory_xact_lock(hashtextextended('fanout.start_stream ' || stream, 0));
        SELECT d.* INTO def FROM fanout._stream d WHERE d.name = stream;
    END IF;
    IF def.slot_usable IS NOT TRUE THEN
        PERFORM fanout._open_stream(stream);
        PERFORM fanout._warn_of_gap(stream);
    ELSIF def.enabled THEN
        RAISE NOTICE 'stream "%" is started already', stream;
        RETURN;
    ELSE
        UPDATE fanout.stream_def d SET enabled = true WHERE d.id = def.id;
    END IF;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.start_stream(text) IS
    'Starts a stream: creates its replication slot if there is none, or allows a stopped one to be '
    'read again. Creating the slot waits for the transactions that are writing, and must come '
    'before the first write of its own transaction. If the slot was dropped or has lost its WAL, a '
    'new one is made under a new identity, and a warning names the subscriptions that have a gap.';

CREATE FUNCTION fanout.stop_stream(stream text DEFAULT 'main', drop_slot boolean DEFAULT false)
    RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    def record;
BEGIN
    IF drop_slot IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = 'drop_slot is null', HINT = 'Pass true or false.';
    END IF;
    -- fanout.attach() takes the same lock, so it cannot start a worker behind our back.
    PERFORM FROM fanout.stream_def d WHERE d.name = stream FOR UPDATE;
    SELECT d.* INTO def FROM fanout._stream d WHERE d.name = stream;
    IF NOT FOUND THEN
        PERFORM fanout._no_stream(stream);
    END IF;
    IF NOT def.enabled AND NOT (drop_slot AND def.slot_exists) THEN
        RAISE NOTICE 'stream "%" is stopped already', stream;
        RETURN;
    END IF;
    UPDATE fanout.stream_def d SET enabled = false WHERE d.id = def.id AND d.enabled;
    IF def.slot_exists THEN
        PERFORM fanout.stop_worker(def.slot_name);
    END IF;
    IF def.slot_exists AND stop_stream.drop_slot THEN
        PERFORM fanout.drop_slot(def.slot_name);
        PERFORM fanout._warn_of_gap(stream);
    ELSIF def.slot_exists THEN
        RAISE NOTICE USING MESSAGE = format('stream "%s" is stopped; its slot "%s" keeps WAL until '
            'it is started again', stream, def.slot_name),
            HINT = format('To let the WAL go, and with it the changes in it: SELECT '
                'fanout.stop_stream(%L, drop_slot => true);', stream);
    END IF;
    PERFORM pg_notify('pg_fanout', 'config');
END
$body$;
COMMENT ON FUNCTION fanout.stop_stream(text, boolean) IS
    'Stops a stream: ends its decoding worker and lets none be started until fanout.start_stream(). '
    'The slot stays and keeps WAL, so nothing is lost. With drop_slot the slot goes at once, even '
    'if the transaction is rolled back; the subscriptions of the stream then have a gap and show '
    'needs_resync. Needed before DROP DATABASE.';
