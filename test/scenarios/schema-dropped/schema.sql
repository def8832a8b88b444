-- A schema that is dropped takes its tables along.
CREATE TABLE t (id INT PRIMARY KEY);
