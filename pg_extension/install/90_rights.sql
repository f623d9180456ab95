-- Who may do what, and what a dump carries. Nothing for PUBLIC.

REVOKE ALL ON SCHEMA fanout FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA fanout FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA fanout FROM PUBLIC;

-- Whoever administers may also look.
GRANT fanout_monitor TO fanout_admin;

GRANT USAGE ON SCHEMA fanout TO fanout_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA fanout TO fanout_monitor;
-- How targets are reached is the administrators' business; fanout.targets hides secrets.
REVOKE SELECT ON fanout.target_def FROM fanout_monitor;
GRANT EXECUTE ON FUNCTION
    fanout.check(), fanout._check_settings(), fanout._check_daemon(), fanout._check_streams(),
    fanout._check_subscriptions(), fanout._check_backfills(), fanout._check_filters(),
    fanout._check_unsupported(), fanout._check_schema_changes(),
    fanout._server_facts(), fanout._deciding_entry(text[], text, text),
    fanout._entry_for(text, oid), fanout._filter_of(text, oid), fanout._filters(),
    fanout.wait_for(text, pg_lsn, interval, boolean), fanout._check_wait(pg_lsn, interval),
    fanout._require_progress(fanout._subscription), fanout._no_subscription(text),
    fanout._no_such(text, text, text[], text), fanout._require_name(text, text),
    fanout._in_words(text[]), fanout.request_report(), fanout.normalize_lsn(pg_lsn),
    fanout.pattern_matches(text, text, text), fanout._may_carry(name, fanout._table),
    fanout._is_reference(text), fanout._has_inline_password(text),
    fanout._shown_options(text, jsonb), fanout._matches(integer), fanout._backfills(integer),
    fanout._backfilled(fanout._subscription), fanout._option(jsonb, text),
    fanout._estimated_rows(oid, bigint), fanout._subscription_status(),
    fanout._subscription_table_status(), fanout._stream_status(), fanout._backfill_status(),
    fanout._wal_position()
    TO fanout_monitor;

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA fanout TO fanout_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    fanout.stream_def, fanout.target_def, fanout.subscription_def, fanout.connector_def,
    fanout.subscription_status, fanout.subscription_table_status, fanout.stream_status,
    fanout.backfill_def, fanout.backfill_status, fanout.dead_letter
    TO fanout_admin;

SELECT pg_extension_config_dump('fanout.stream_def', '');
SELECT pg_extension_config_dump('fanout.stream_def_id_seq', '');
SELECT pg_extension_config_dump('fanout.target_def', '');
SELECT pg_extension_config_dump('fanout.target_def_id_seq', '');
SELECT pg_extension_config_dump('fanout.subscription_def', '');
SELECT pg_extension_config_dump('fanout.subscription_def_id_seq', '');
SELECT pg_extension_config_dump('fanout.backfill_def', '');
