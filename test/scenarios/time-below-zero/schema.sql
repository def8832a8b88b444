-- A TIME(6) of less than 0 borrows from its fraction.
CREATE TABLE t (id INT PRIMARY KEY, a TIME(6), b TIME(1), c TIME);
