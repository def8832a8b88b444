-- What was rolled back to a savepoint is not in the log, or is undone there.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
