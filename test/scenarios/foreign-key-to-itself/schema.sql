-- A table whose rows refer to each other in a ring.
CREATE TABLE t (id INT PRIMARY KEY, next INT, KEY (next), FOREIGN KEY (next) REFERENCES t (id));
