-- Copies of existing rows: what was asked for (carried by pg_dump), and what fanoutd reported.
--
-- A row of backfill_def is only there for a table of which somebody asked for something. Without
-- one, a table of a subscription with the option `backfill` is to be copied once, generation 1.

CREATE TABLE fanout.backfill_def (
    subscription_id integer NOT NULL REFERENCES fanout.subscription_def ON DELETE CASCADE,
    table_oid oid NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    predicate text,
    on_nonempty text CHECK (on_nonempty IN ('error', 'truncate', 'upsert')),
    paused boolean NOT NULL DEFAULT false,
    cancelled boolean NOT NULL DEFAULT false,
    requested_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subscription_id, table_oid)
);
COMMENT ON TABLE fanout.backfill_def IS
    'What was asked for about copies of existing rows; look at the view fanout.backfills';
COMMENT ON COLUMN fanout.backfill_def.generation IS
    'Raised by each fanout.resync(); the table is copied again';
COMMENT ON COLUMN fanout.backfill_def.predicate IS
    'Which rows to copy, as the server wrote it down after checking it';

-- Unlogged: losing it in a crash costs nothing, fanoutd reports again.
CREATE UNLOGGED TABLE fanout.backfill_status (
    subscription_id integer NOT NULL REFERENCES fanout.subscription_def ON DELETE CASCADE,
    table_oid oid NOT NULL,
    schema_name text,
    table_name text,
    generation integer NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'waiting', 'copying', 'indexing', 'paused',
        'complete', 'cancelled', 'failed')),
    mode text,
    rows_done bigint NOT NULL DEFAULT 0,
    bytes_done bigint NOT NULL DEFAULT 0,
    rows_estimate bigint,
    bytes_estimate bigint,
    rows_per_second double precision,
    chunks bigint NOT NULL DEFAULT 0,
    retries bigint NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    snapshot_held_seconds double precision,
    detail text,
    last_error text,
    last_error_hint text,
    reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscription_id, table_oid)
) WITH (fillfactor = 50);
COMMENT ON TABLE fanout.backfill_status IS
    'What fanoutd last reported; look at the view fanout.backfills';
