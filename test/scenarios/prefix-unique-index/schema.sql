-- A unique index over a prefix: longer values collide.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(100), b BLOB, UNIQUE (v(3)), UNIQUE (b(2)));
