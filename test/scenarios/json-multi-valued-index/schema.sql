-- A multi-valued index has a hidden column that is not in the log.
CREATE TABLE t (id INT PRIMARY KEY, j JSON, INDEX tags ((CAST(j->'$.tags' AS CHAR(20) ARRAY))), INDEX nums ((CAST(j->'$.n' AS UNSIGNED ARRAY))));
