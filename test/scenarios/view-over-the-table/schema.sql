-- A view of the table would go on reading the old home.
CREATE TABLE t (id INT PRIMARY KEY);
CREATE VIEW seen AS SELECT * FROM t;
