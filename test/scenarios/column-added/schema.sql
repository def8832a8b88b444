-- A column that is added is not on the other home.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
