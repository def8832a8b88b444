-- NULL equals no NULL: many rows may have it in a unique key.
CREATE TABLE t (id INT PRIMARY KEY, a INT NULL, b VARCHAR(10) NULL, UNIQUE (a, b));
