-- pause_subscription and resume_subscription.
\set SHOW_CONTEXT never
CREATE TABLE orders (id integer PRIMARY KEY);
SELECT fanout.create_target('hole', 'blackhole', '{}');
SELECT fanout.create_subscription('s', 'hole', '{public.orders}');
SELECT fanout.pause_subscription('s');
SELECT name, state, paused FROM fanout.subscriptions;
SELECT fanout.pause_subscription('s');
SELECT fanout.resume_subscription('s');
SELECT name, state, paused FROM fanout.subscriptions;
SELECT fanout.resume_subscription('s');
-- Paused wins over what was reported; a gap wins over paused.
SELECT id FROM fanout.subscription_def \gset
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'streaming'))));
SELECT fanout.pause_subscription('s');
SELECT name, state FROM fanout.subscriptions;
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'needs_resync'))));
SELECT name, state FROM fanout.subscriptions;
SELECT fanout.resume_subscription('s');
\echo :LAST_ERROR_SQLSTATE
-- One that has failed is tried again: fanoutd sees a new revision.
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'failed'))));
SELECT fanout.resume_subscription('s');
SELECT fanout.report(jsonb_build_object('subscriptions', jsonb_build_array(jsonb_build_object('id', :id, 'state', 'failed'))));
SELECT name, state FROM fanout.subscriptions;
SELECT fanout.daemon_config() -> 'subscriptions' -> 0 -> 'revision' AS before \gset
SELECT fanout.resume_subscription('s');
SELECT (fanout.daemon_config() -> 'subscriptions' -> 0 -> 'revision')::integer - :before AS raised_by;
SELECT name, state FROM fanout.subscriptions;
-- Unknown names.
SELECT fanout.pause_subscription('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.resume_subscription('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.pause_subscription(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.drop_subscription('s');
SELECT fanout.stop_stream(drop_slot => true);
