-- A unique key that may hold NULL tells some rows apart, and is checked all the while.
CREATE TABLE t (a INT NULL, b INT, UNIQUE (a));
