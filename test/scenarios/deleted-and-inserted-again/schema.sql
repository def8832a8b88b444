-- A key is deleted and inserted again, several times in one transaction.
CREATE TABLE t (id INT PRIMARY KEY, v INT, u VARCHAR(10) UNIQUE);
