-- What patterns name and nobody can carry is listed with the reason.
\set SHOW_CONTEXT never
SELECT fanout.create_target('copy', 'sqlite', '{"path": "/tmp/copy.db"}');
CREATE SCHEMA shop;
CREATE TABLE shop.plain (id int PRIMARY KEY, v text);
CREATE TABLE shop.bare (v text);
CREATE TABLE shop.whole (v text);
ALTER TABLE shop.whole REPLICA IDENTITY FULL;
CREATE TABLE shop.by_index (a int NOT NULL, v text);
CREATE UNIQUE INDEX by_index_a ON shop.by_index (a);
ALTER TABLE shop.by_index REPLICA IDENTITY USING INDEX by_index_a;
CREATE UNLOGGED TABLE shop."Not logged" (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW shop.summed AS SELECT count(*) AS n FROM shop.plain;
CREATE VIEW shop.seen AS SELECT id FROM shop.plain;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE shop.away (id int) SERVER far;
CREATE MATERIALIZED VIEW public.other AS SELECT 1 AS one;
SELECT fanout.create_subscription('one', 'copy', '{shop.*}');
SELECT fanout.create_subscription('two', 'copy', '{shop.plain,shop.s*}');
SELECT fanout.create_subscription('two', 'copy', '{shop.plain,/shop\.(summed|whole)/}');
SELECT item, state, detail, remedy FROM fanout.check() WHERE detail LIKE 'not carried%';
SELECT subscription, table_name, identity, note FROM fanout.subscription_tables ORDER BY 1, 2;
ALTER TABLE shop."Not logged" SET LOGGED;
DROP MATERIALIZED VIEW shop.summed;
SELECT item FROM fanout.check() WHERE detail LIKE 'not carried%';
SELECT fanout.create_subscription('three', 'copy', '{public.other}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.drop_subscription('one'), fanout.drop_subscription('two');
SELECT fanout.stop_stream(drop_slot => true);
