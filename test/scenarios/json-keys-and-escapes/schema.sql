-- JSON keys may be empty, long, alike but for case, or not ASCII.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
