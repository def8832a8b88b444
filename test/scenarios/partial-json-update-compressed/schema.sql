-- The difference of a JSON value may come in a compressed transaction.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
