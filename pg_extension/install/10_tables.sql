-- What is configured (carried by pg_dump) and what fanoutd last reported (not carried).
--
-- Rows of stream_def and subscription_def are stamped with the cluster and database they were made
-- in. In a restored copy the stamps differ, and nothing is carried from there until a person says
-- so: two databases must never feed one target because somebody restored a backup.

CREATE TABLE fanout.stream_def (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT stream_def_name UNIQUE,
    slot_name name NOT NULL CONSTRAINT stream_def_slot_name UNIQUE,
    identity uuid NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    enabled boolean NOT NULL DEFAULT true,
    start_lsn pg_lsn NOT NULL,
    ring_bytes bigint NOT NULL DEFAULT 16777216,
    system_identifier text NOT NULL,
    database_oid oid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fanout.stream_def IS 'Streams as configured; look at the view fanout.streams';
COMMENT ON COLUMN fanout.stream_def.identity IS
    'New with each slot; targets keep their cursor under it';
COMMENT ON COLUMN fanout.stream_def.generation IS 'Counts the slots this stream has had';
COMMENT ON COLUMN fanout.stream_def.epoch IS
    'Counts attachments; a target refuses a writer with an older one';
COMMENT ON COLUMN fanout.stream_def.start_lsn IS
    'Where the slot became consistent: nothing before it can be delivered';

CREATE TABLE fanout.target_def (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT target_def_name UNIQUE,
    connector text NOT NULL,
    options jsonb NOT NULL CHECK (jsonb_typeof(options) = 'object'),
    owner name NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fanout.target_def IS 'Targets as configured; look at the view fanout.targets';

CREATE TABLE fanout.subscription_def (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT subscription_def_name UNIQUE,
    target_id integer NOT NULL REFERENCES fanout.target_def,
    stream_id integer NOT NULL REFERENCES fanout.stream_def,
    generation integer NOT NULL,
    tables text[] NOT NULL CHECK (cardinality(tables) > 0),
    options jsonb NOT NULL CHECK (jsonb_typeof(options) = 'object'),
    owner name NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    backfill_paused boolean NOT NULL DEFAULT false,
    revision integer NOT NULL DEFAULT 1,
    start_lsn pg_lsn NOT NULL,
    skip_lsn pg_lsn,
    system_identifier text NOT NULL,
    database_oid oid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fanout.subscription_def IS
    'Subscriptions as configured; look at the view fanout.subscriptions';
COMMENT ON COLUMN fanout.subscription_def.generation IS
    'Generation of the stream it started on; another one means a gap';
COMMENT ON COLUMN fanout.subscription_def.owner IS
    'Whose SELECT right decides which tables it may carry';
COMMENT ON COLUMN fanout.subscription_def.skip_lsn IS
    'What would stop it in transactions up to here is passed over, by fanout.skip()';
COMMENT ON COLUMN fanout.subscription_def.revision IS
    'Raised by pause and resume; fanoutd opens a failed lane again when it changes';

-- A subscription carries what its owner may read, and a target's options say where that goes. So
-- neither may be changed into reading with the rights of somebody else, not even by an
-- administrator of pg_fanout who writes to the tables directly.
CREATE FUNCTION fanout._guard_owner() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    concerned name;
BEGIN
    IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RETURN NEW;
    END IF;
    FOREACH concerned IN ARRAY
        CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.owner] ELSE ARRAY[OLD.owner, NEW.owner] END
    LOOP
        IF NOT pg_has_role(concerned, 'USAGE') THEN
            RAISE EXCEPTION USING ERRCODE = '42501',
                MESSAGE = format('%I may not act for role %I', current_user, concerned),
                HINT = 'Drop it and create it again as yourself, or have the owner do it.';
        END IF;
    END LOOP;
    RETURN NEW;
END
$body$;
COMMENT ON FUNCTION fanout._guard_owner() IS
    'Internal: keeps one role from reading with the rights of another';

CREATE TRIGGER guard_owner BEFORE INSERT OR UPDATE OF owner, connector, options ON fanout.target_def
    FOR EACH ROW EXECUTE FUNCTION fanout._guard_owner();
CREATE TRIGGER guard_owner
    BEFORE INSERT OR UPDATE OF owner, tables, target_id ON fanout.subscription_def
    FOR EACH ROW EXECUTE FUNCTION fanout._guard_owner();

-- Which connectors there are: filled from the build, brought up to date by fanoutd.
CREATE TABLE fanout.connector_def (
    name text PRIMARY KEY,
    version text NOT NULL,
    summary text NOT NULL,
    capabilities text[] NOT NULL DEFAULT '{}',
    options jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(options) = 'array'),
    builtin boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE fanout.connector_def IS
    'Connectors and their options; look at the view fanout.connectors';

-- Reports. Unlogged: losing them in a crash costs nothing, fanoutd reports again.
CREATE UNLOGGED TABLE fanout.subscription_status (
    subscription_id integer PRIMARY KEY REFERENCES fanout.subscription_def ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'starting' CHECK (state IN ('starting', 'streaming', 'paused',
        'retrying', 'failed', 'needs_resync', 'denied', 'waiting', 'restored')),
    cursor_lsn pg_lsn,
    cursor_end_lsn pg_lsn,
    cursor_time timestamptz,
    caught_up boolean NOT NULL DEFAULT false,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_delivered bigint NOT NULL DEFAULT 0,
    rows_filtered bigint NOT NULL DEFAULT 0,
    rows_dead_lettered bigint NOT NULL DEFAULT 0,
    transactions bigint NOT NULL DEFAULT 0,
    retries bigint NOT NULL DEFAULT 0,
    last_error text,
    last_error_hint text,
    last_error_at timestamptz,
    stopped_lsn pg_lsn,
    reported_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
COMMENT ON TABLE fanout.subscription_status IS
    'What fanoutd last reported; look at the view fanout.subscriptions';

CREATE UNLOGGED TABLE fanout.subscription_table_status (
    subscription_id integer NOT NULL REFERENCES fanout.subscription_def ON DELETE CASCADE,
    table_oid oid NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    identity text,
    rows_delivered bigint NOT NULL DEFAULT 0,
    note text,
    PRIMARY KEY (subscription_id, table_oid)
) WITH (fillfactor = 50);
COMMENT ON TABLE fanout.subscription_table_status IS
    'What fanoutd last reported; look at the view fanout.subscription_tables';

CREATE UNLOGGED TABLE fanout.stream_status (
    stream_id integer PRIMARY KEY REFERENCES fanout.stream_def ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'starting',
    error text,
    journal_bytes bigint,
    journal_first_lsn pg_lsn,
    journal_durable_lsn pg_lsn,
    daemon text,
    worker_pid integer,
    reported_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
COMMENT ON TABLE fanout.stream_status IS
    'What fanoutd last reported; look at the view fanout.streams';
