-- INVISIBLE columns are not in SELECT *, and are copied.
CREATE TABLE t (id INT PRIMARY KEY, v INT, hidden VARCHAR(20) DEFAULT 'd' INVISIBLE, also INT INVISIBLE);
