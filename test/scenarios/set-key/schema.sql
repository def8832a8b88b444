-- A SET in the key orders by its bits.
CREATE TABLE t (s SET('b', 'a', 'c') NOT NULL PRIMARY KEY, v INT);
