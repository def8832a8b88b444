-- A FLOAT key is found by all of its bits.
CREATE TABLE t (f FLOAT NOT NULL PRIMARY KEY, v INT);
