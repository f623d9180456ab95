-- Rows of partitions come under the partition's name; a row that moves is deleted and inserted.
SELECT 'init' AS slot FROM pg_create_logical_replication_slot('regress_partitions', 'pg_fanout');
CREATE FUNCTION pg_temp.changes() RETURNS TABLE (op text, name text, key jsonb, after jsonb) LANGUAGE sql AS $$
    SELECT j ->> 'op', j ->> 'table', nullif(j -> 'key', 'null'), nullif(j -> 'after', 'null')
    FROM pg_logical_slot_get_changes('regress_partitions', NULL, NULL) AS c, jsonb(c.data) AS j $$;
CREATE TABLE parts (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE high PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts VALUES (1, 'a'), (101, 'b');
UPDATE parts SET v = v || '!';
UPDATE parts SET id = 102 WHERE id = 1;
DELETE FROM parts WHERE id = 101;
SELECT * FROM pg_temp.changes();
-- attached with another order of columns, detached, dropped: no rows are invented
CREATE TABLE late (v text, gone int, id int NOT NULL);
ALTER TABLE late DROP COLUMN gone;
INSERT INTO late VALUES ('c', 201);
ALTER TABLE parts ATTACH PARTITION late FOR VALUES FROM (200) TO (300);
INSERT INTO parts VALUES (202, 'd');
UPDATE parts SET id = id + 150 WHERE id = 102;
ALTER TABLE parts DETACH PARTITION low;
INSERT INTO low VALUES (5, 'alone');
DROP TABLE high;
SELECT * FROM pg_temp.changes();
-- in one transaction with its creation; TRUNCATE of the parent names the leaves
BEGIN;
CREATE TABLE fresh PARTITION OF parts FOR VALUES FROM (300) TO (400);
INSERT INTO parts VALUES (300, 'e');
COMMIT;
TRUNCATE parts;
SELECT op, name FROM pg_temp.changes() ORDER BY op, name COLLATE "C";
-- two levels, a default partition, inheritance
CREATE TABLE tree (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1) PARTITION BY LIST (b);
CREATE TABLE tree_1_1 PARTITION OF tree_1 FOR VALUES IN (1);
CREATE TABLE tree_rest PARTITION OF tree DEFAULT;
INSERT INTO tree VALUES (1, 1), (2, 2);
UPDATE tree SET a = 3, b = 3 WHERE a = 1;
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE child (extra text, PRIMARY KEY (id)) INHERITS (base);
INSERT INTO base VALUES (1);
INSERT INTO child VALUES (2, 'x');
UPDATE base SET id = id + 10;
SELECT * FROM pg_temp.changes();
DROP TABLE parts, low, tree, base, child;
SELECT pg_drop_replication_slot('regress_partitions');
