-- A unique key that may hold NULL is no key.
CREATE TABLE t (a INT NULL, b INT, UNIQUE (a));
