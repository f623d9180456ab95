-- Reports as the views read them. A standby has none: unlogged tables cannot be read there, nor even
-- be named in a query. Inside plpgsql a query is only planned when its turn comes.

CREATE FUNCTION fanout._subscription_status() RETURNS SETOF fanout.subscription_status
LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF NOT pg_is_in_recovery() THEN
        RETURN QUERY SELECT s.* FROM fanout.subscription_status s;
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._subscription_status() IS
    'Internal: what was reported about subscriptions; nothing on a standby';

CREATE FUNCTION fanout._subscription_table_status() RETURNS SETOF fanout.subscription_table_status
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF NOT pg_is_in_recovery() THEN
        RETURN QUERY SELECT s.* FROM fanout.subscription_table_status s;
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._subscription_table_status() IS
    'Internal: what was reported about tables; nothing on a standby';

CREATE FUNCTION fanout._stream_status() RETURNS SETOF fanout.stream_status
LANGUAGE plpgsql STABLE ROWS 5 SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF NOT pg_is_in_recovery() THEN
        RETURN QUERY SELECT s.* FROM fanout.stream_status s;
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._stream_status() IS
    'Internal: what was reported about streams; nothing on a standby';

CREATE FUNCTION fanout._backfill_status() RETURNS SETOF fanout.backfill_status
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF NOT pg_is_in_recovery() THEN
        RETURN QUERY SELECT s.* FROM fanout.backfill_status s;
    END IF;
END
$body$;
COMMENT ON FUNCTION fanout._backfill_status() IS
    'Internal: what was reported about copies of existing rows; nothing on a standby';

CREATE FUNCTION fanout._wal_position() RETURNS pg_lsn
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
        ELSE pg_current_wal_insert_lsn() END
$body$;
COMMENT ON FUNCTION fanout._wal_position() IS
    'Internal: where the WAL of this server ends, or what a standby has replayed of it';
