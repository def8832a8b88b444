-- Every key moves to its neighbour's place, in order, in one statement.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
