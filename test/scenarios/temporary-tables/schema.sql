-- Temporary tables of the same name as others are not in the log.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
