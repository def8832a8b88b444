-- A row in which all but the key is NULL.
CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(10), c DATETIME(6), d DECIMAL(10,5), e JSON, f BLOB, g BIT(3), h ENUM('x'), i SET('y'), j DOUBLE);
