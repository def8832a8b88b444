-- A session of MIXED format logs what is safe as a statement.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
