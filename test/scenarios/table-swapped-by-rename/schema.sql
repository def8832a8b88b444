-- An online schema change swaps a table for its shadow.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
CREATE TABLE outside (id INT PRIMARY KEY, v INT);
