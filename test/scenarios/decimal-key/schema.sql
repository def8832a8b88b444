-- A DECIMAL key orders chunks as numbers, over the sign.
CREATE TABLE t (k DECIMAL(30,10) NOT NULL PRIMARY KEY, v INT);
