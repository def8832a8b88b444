-- A table that is dropped is not silently left behind.
CREATE TABLE t (id INT PRIMARY KEY);
