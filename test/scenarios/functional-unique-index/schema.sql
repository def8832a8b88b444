-- A unique index over an expression: values collide that differ.
CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20), n INT, UNIQUE lowered ((LOWER(name) COLLATE utf8mb4_bin)), KEY total ((n + id)));
