-- What only C can do: slots, the decoding worker, the pattern language it matches tables with.

CREATE FUNCTION fanout.create_slot(slot name) RETURNS pg_lsn
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_create_slot';
COMMENT ON FUNCTION fanout.create_slot(name) IS
    'Internal: creates a logical replication slot for pg_fanout and returns the LSN it starts at; '
    'use fanout.start_stream()';

CREATE FUNCTION fanout.drop_slot(slot name) RETURNS void
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_drop_slot';
COMMENT ON FUNCTION fanout.drop_slot(name) IS
    'Internal: drops a pg_fanout slot of this database; use fanout.stop_stream(drop_slot => true)';

CREATE FUNCTION fanout.launch_worker(slot name, stream_id integer, epoch bigint, start_lsn pg_lsn,
    ring_bytes bigint, OUT socket_path text, OUT token text, OUT worker_pid integer,
    OUT confirmed_lsn pg_lsn, OUT system_identifier text, OUT timeline integer) RETURNS record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'fanout_launch_worker';
COMMENT ON FUNCTION fanout.launch_worker(name, integer, bigint, pg_lsn, bigint) IS
    'Internal: starts the decoding worker of a slot and waits until it listens; called by '
    'fanout.attach()';

CREATE FUNCTION fanout.stop_worker(slot name) RETURNS boolean
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_stop_worker';
COMMENT ON FUNCTION fanout.stop_worker(name) IS
    'Internal: ends the decoding worker of a slot and waits until the slot is free; called by '
    'fanout.stop_stream()';

CREATE FUNCTION fanout.request_report() RETURNS pg_lsn
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_request_report';
COMMENT ON FUNCTION fanout.request_report() IS
    'Asks fanoutd to report how far each subscription is, by a message in WAL; returns the '
    'message''s LSN.';

CREATE FUNCTION fanout._settle(timeout_ms integer) RETURNS boolean
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_settle';
COMMENT ON FUNCTION fanout._settle(integer) IS
    'For fanoutd: waits until every transaction whose commit is in the WAL by now can be seen by '
    'snapshots to come; false if that takes longer than the timeout.';

CREATE FUNCTION fanout._flush_wal() RETURNS pg_lsn
LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'fanout_flush_wal';
COMMENT ON FUNCTION fanout._flush_wal() IS
    'For fanoutd: makes the WAL written so far durable and returns its end.';

CREATE FUNCTION fanout.normalize_lsn(lsn pg_lsn) RETURNS pg_lsn
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'fanout_normalize_lsn';
COMMENT ON FUNCTION fanout.normalize_lsn(pg_lsn) IS
    'An LSN just behind a WAL page header, moved back to the start of that page; any other LSN as '
    'it is.';

CREATE FUNCTION fanout.pattern_matches(pattern text, schema_name text, table_name text)
    RETURNS boolean
LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'fanout_pattern_matches';
COMMENT ON FUNCTION fanout.pattern_matches(text, text, text) IS
    'Whether a table pattern of a subscription (schema.table, schema.*, /regex/) matches a table.';

CREATE FUNCTION fanout.on_drop_extension() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'fanout_on_drop_extension';
COMMENT ON FUNCTION fanout.on_drop_extension() IS
    'Internal: ends the decoding workers before DROP EXTENSION pg_fanout and names the slots left '
    'behind';

CREATE EVENT TRIGGER fanout_on_drop_extension ON ddl_command_start WHEN TAG IN ('DROP EXTENSION')
    EXECUTE FUNCTION fanout.on_drop_extension();
COMMENT ON EVENT TRIGGER fanout_on_drop_extension IS
    'pg_fanout: ends the decoding workers before the extension goes';
