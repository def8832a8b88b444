-- A stored procedure that prepares what it writes would go on writing to the old home: its text does not say all tables.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
CREATE PROCEDURE grow() BEGIN UPDATE t SET v = v + 1; PREPARE more FROM 'UPDATE t SET v = v + 1'; EXECUTE more; END;
