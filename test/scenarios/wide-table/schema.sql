-- A table of 300 columns has a bitmap of 38 bytes.
SET SESSION group_concat_max_len = 100000;
SET @columns = (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT GROUP_CONCAT(CONCAT('c', i, IF(i % 3, ' INT', ' VARCHAR(9)'))) FROM n);
SET @sql = CONCAT('CREATE TABLE t (id INT PRIMARY KEY, ', @columns, ')');
PREPARE make FROM @sql; EXECUTE make;
