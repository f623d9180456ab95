-- Changes that targets will not have. fanoutd keeps them in its state directory and reports them
-- here; not carried by pg_dump, which leaves fanoutd's state behind as well.

CREATE TABLE fanout.dead_letter (
    subscription_id integer NOT NULL REFERENCES fanout.subscription_def ON DELETE CASCADE,
    commit_lsn pg_lsn NOT NULL,
    index bigint NOT NULL,
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'parked', 'redriving', 'superseded', 'lost')),
    schema_name text,
    table_name text,
    operation text,
    error text,
    hint text,
    attempts integer NOT NULL DEFAULT 0,
    commit_time timestamptz,
    parked_at timestamptz,
    superseded_by pg_lsn,
    requested_by name,
    PRIMARY KEY (subscription_id, commit_lsn, index)
);
COMMENT ON TABLE fanout.dead_letter IS
    'What fanoutd last reported, and what it was asked to skip or to deliver; look at the view '
    'fanout.dead_letters';
