-- One transaction changes many rows, several times each.
CREATE TABLE t (id INT PRIMARY KEY, v INT, pad VARCHAR(100));
