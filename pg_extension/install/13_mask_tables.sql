-- The secret that values are hashed with: one for the database, so that equal values stay equal in
-- all targets. Made when it is first needed, kept by pg_dump; only for administrators.

CREATE TABLE fanout.mask_secret (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    secret bytea NOT NULL CHECK (octet_length(secret) = 32)
);
COMMENT ON TABLE fanout.mask_secret IS
    'What the mask "hash" hashes with; whoever knows it can find out short values by trying them';
COMMENT ON COLUMN fanout.mask_secret.secret IS
    'Key of HMAC-SHA-256. A new one changes every hash from its commit on';

CREATE FUNCTION fanout._make_mask_secret() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $body$
    INSERT INTO fanout.mask_secret (secret)
    SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        || uuid_send(gen_random_uuid()))
    ON CONFLICT DO NOTHING
$body$;
COMMENT ON FUNCTION fanout._make_mask_secret() IS
    'Internal: makes the secret of masks, if there is none';
