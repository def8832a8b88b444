-- A stored procedure would go on writing to the old home.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
CREATE PROCEDURE grow() UPDATE t SET v = v + 1;
