-- INSERT IGNORE logs only what it has stored.
CREATE TABLE t (id INT PRIMARY KEY, v TINYINT UNSIGNED);
