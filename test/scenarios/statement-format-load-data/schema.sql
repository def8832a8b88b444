-- A load that is logged as a file and a statement has no row events.
CREATE TABLE t (id INT PRIMARY KEY, v DOUBLE);
CREATE TABLE outside (id INT PRIMARY KEY, v DOUBLE);
