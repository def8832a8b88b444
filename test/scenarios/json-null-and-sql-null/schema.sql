-- JSON null is a value, and NULL is none.
CREATE TABLE t (id INT PRIMARY KEY, j JSON, k JSON NOT NULL);
