-- The difference of a JSON value is not its value.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
