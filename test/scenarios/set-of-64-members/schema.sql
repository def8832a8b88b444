-- A SET with all of its 64 members is 2^64 - 1.
SET SESSION group_concat_max_len = 100000;
SET @labels = (WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 63) SELECT GROUP_CONCAT(CONCAT('''m', i, '''')) FROM n);
SET @sql = CONCAT('CREATE TABLE t (id INT PRIMARY KEY, s SET(', @labels, '))');
PREPARE make FROM @sql; EXECUTE make;
