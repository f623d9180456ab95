-- What a target will not have: what fanoutd reports of it, and what it is asked to do.
\set SHOW_CONTEXT never
SELECT fanout.start_stream();
SELECT fanout.create_target('copy', 'sqlite', '{"path": "/tmp/copy.db"}');
CREATE TABLE orders (id int PRIMARY KEY);
SELECT fanout.create_subscription('s', 'copy', '{public.orders}', '{"on_reject": "park", "backfill": false}');
SELECT id AS sub FROM fanout.subscription_def \gset
CREATE FUNCTION told(letters text) RETURNS void LANGUAGE sql AS $$
    SELECT fanout.report(format('{"subscriptions": [{"id": %s, "dead_letters": %s}]}', (SELECT id FROM fanout.subscription_def), letters)::jsonb)
$$;
CREATE FUNCTION asked() RETURNS jsonb LANGUAGE sql AS $$
    SELECT s -> 'redrives' FROM jsonb_array_elements(fanout.daemon_config() -> 'subscriptions') AS s
$$;
\set letter '"schema_name": "public", "table_name": "orders", "operation": "insert", "error": "no", "attempts": 1'
SELECT told('[{"commit_lsn": "0/10", "index": 1, "state": "parked", ' || :'letter' || '}, {"commit_lsn": "0/10", "index": 2, "state": "parked", ' || :'letter' || '},
    {"commit_lsn": "0/20", "index": 1, "state": "superseded", "superseded_by": "0/30", ' || :'letter' || '}]');
SELECT commit_lsn, index, state, table_name, superseded_by FROM fanout.dead_letters ORDER BY 1, 2;
SELECT asked();
-- one, those of a transaction, those of a table, all that are parked
SELECT revision FROM fanout.subscription_def;
SELECT fanout.redrive('s', '0/10', 2);
SELECT asked();
SELECT revision FROM fanout.subscription_def;
SELECT fanout.redrive('s', '0/10', 2);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.redrive('s', tables => 'public.nothing');
SELECT fanout.redrive('s', tables => '/^public[.]ord/');
SELECT jsonb_array_length(asked());
SELECT fanout.redrive('s');
-- refused: what may not be, or is not there
SELECT fanout.redrive('s', '0/20', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.redrive('s', '0/99', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.redrive('s', index => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.redrive('nobody');
-- A report that was on its way changes nothing; a new attempt does; what was delivered is gone.
SELECT told('[{"commit_lsn": "0/10", "index": 1, "state": "parked", ' || :'letter' || '}]');
SELECT index, state FROM fanout.dead_letters WHERE commit_lsn = '0/10' ORDER BY index;
SELECT told('[{"commit_lsn": "0/10", "index": 1, "state": "parked", "operation": "insert", "error": "still no", "attempts": 2}, {"commit_lsn": "0/10", "index": 2, "state": "delivered"}]');
SELECT commit_lsn, index, state, error, attempts FROM fanout.dead_letters ORDER BY 1, 2;
-- twice is once
SELECT told('[{"commit_lsn": "0/10", "index": 2, "state": "delivered"}, {"commit_lsn": "0/77", "index": 2, "state": "lost", "error": "gone"}]');
SELECT count(*) FROM fanout.dead_letters;
SELECT fanout.redrive('s', '0/10');
SELECT told('[{"commit_lsn": "0/10", "index": 1, "state": "lost", "error": "gone"}]');
SELECT commit_lsn, index, state, operation, error FROM fanout.dead_letters ORDER BY 1, 2;
SELECT fanout.pause_subscription('s');
SELECT told('[{"commit_lsn": "0/40", "index": 1, "state": "parked", ' || :'letter' || '}]');
SELECT fanout.redrive('s');
SELECT fanout.drop_subscription('s');
SELECT count(*) FROM fanout.dead_letters;
SELECT fanout.stop_stream(drop_slot => true);
