-- -0 and 0 are one key value, and a row is found by either.
CREATE TABLE t (d DOUBLE NOT NULL PRIMARY KEY, v INT);
