-- Every bit of a FLOAT arrives: subnormals, the sign of zero, the largest and the smallest.
CREATE TABLE t (id INT PRIMARY KEY, f FLOAT);
