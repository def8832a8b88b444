-- A prepared transaction has a GTID, and its end is not known yet.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
