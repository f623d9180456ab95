-- Partitioned tables in a list of tables: what stands for what, and what is refused or named by check().
\set SHOW_CONTEXT never
SELECT fanout.create_target('copy', 'sqlite', '{"path": "/tmp/copy.db"}');
CREATE TABLE parts (id int, region int, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
SELECT fanout.create_subscription('leaves', 'copy', '{public.parts}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.create_subscription('root', 'copy', '{public.parts}', '{"via_root": true}');
SELECT subscription, table_name, identity, state FROM fanout.subscription_tables;
CREATE SCHEMA shed;
CREATE TABLE shed.part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE part_2_low PARTITION OF part_2 FOR VALUES FROM (0) TO (10);
CREATE TABLE plain (id int PRIMARY KEY);
SELECT fanout.create_subscription('leaves', 'copy', '{public.parts}');
SELECT fanout.create_subscription('middle', 'copy', '{public.part_2}', '{"via_root": true}');
SELECT fanout.create_subscription('all', 'copy', '{public.*}', '{"via_root": true}');
SELECT fanout.create_subscription('filtered', 'copy',
    ARRAY['shed.part_1', '{"table": "public.parts", "where": "id > 5", "masks": {"v": "hash"}}', 'public.plain']);
SELECT fanout.create_subscription('shed', 'copy', '{shed.*}', '{"via_root": true}');
SELECT subscription, schema_name, table_name, identity, state FROM fanout.subscription_tables ORDER BY 1, 2, 3;
SELECT subscription, schema_name, table_name, predicate, masks FROM fanout.subscription_filters ORDER BY 1, 2, 3;
-- an entry that decides on nothing
SELECT fanout.create_subscription('none', 'copy', ARRAY['public.parts', '{"table": "public.parts", "where": "id > 5"}'], '{"via_root": true}');
SELECT fanout.create_subscription('none', 'copy', ARRAY['{"table": "public.parts", "where": "nothing > 5"}'], '{"via_root": true}');
SELECT fanout.create_subscription('none', 'copy', '{public.plain}', '{"via_root": "yes"}');
-- the option stays
SELECT fanout.alter_subscription('root', '{"via_root": false}');
\echo :LAST_ERROR_SQLSTATE
SELECT fanout.alter_subscription('root', tables => '{public.plain, public.parts}');
-- a partition whose identity says less than the root's
ALTER TABLE shed.part_1 REPLICA IDENTITY NOTHING;
SELECT item, state, detail, remedy FROM fanout.check() WHERE item LIKE 'table%' ORDER BY 1, 3;
SELECT fanout.alter_subscription('root', tables => '{public.parts}');
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE shed.part_1 REPLICA IDENTITY FULL;
SELECT count(*) FROM fanout.check() WHERE item LIKE 'table%';
-- rights: the root's count, or those of the leaf that carries its own name
CREATE ROLE reader IN ROLE fanout_admin;
GRANT SELECT ON parts TO reader;
SET ROLE reader;
SELECT fanout.create_subscription('mine', 'copy', '{public.parts}', '{"via_root": true}');
SELECT fanout.create_subscription('not mine', 'copy', '{public.parts}');
RESET ROLE;
-- foreign partitions, children by inheritance
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE TABLE mixed (id int, region int) PARTITION BY LIST (region);
CREATE FOREIGN TABLE shed.mixed_far PARTITION OF mixed FOR VALUES IN (1) SERVER far;
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE shed.child () INHERITS (base);
SET client_min_messages = error;
SELECT fanout.create_subscription('odd', 'copy', '{public.mixed, public.base}', '{"via_root": true}');
RESET client_min_messages;
SELECT item, state, detail, remedy FROM fanout.check() WHERE detail LIKE '%not carried%odd%' ORDER BY 1;
SELECT fanout.alter_subscription('odd', tables => '{public.base, shed.child}');
SELECT item, state, detail FROM fanout.check() WHERE detail LIKE '%not carried%odd%' ORDER BY 1;
SELECT fanout.drop_subscription(name) FROM (SELECT name FROM fanout.subscriptions ORDER BY name) AS s;
DROP OWNED BY reader;
DROP ROLE reader;
SELECT fanout.stop_stream(drop_slot => true);
