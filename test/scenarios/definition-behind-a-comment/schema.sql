-- A definition hidden in a version comment is a definition.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
