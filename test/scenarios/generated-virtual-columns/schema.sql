-- VIRTUAL columns are in the log and must not be written.
CREATE TABLE t (a INT, g INT AS (a * 2) VIRTUAL, id INT PRIMARY KEY, h VARCHAR(20) AS (CONCAT('x', id, '-', a)) VIRTUAL, b INT, KEY (h));
