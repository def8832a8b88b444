-- An ENUM of more than 255 labels takes two bytes.
SET @labels = (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT GROUP_CONCAT(CONCAT('''l', i, '''')) FROM n);
SET @labels = IFNULL(@labels, '');
SET SESSION group_concat_max_len = 100000;
SET @labels = (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT GROUP_CONCAT(CONCAT('''l', i, '''')) FROM n);
SET @sql = CONCAT('CREATE TABLE t (id INT PRIMARY KEY, e ENUM(', @labels, '))');
PREPARE make FROM @sql; EXECUTE make;
