-- Rows from before an instant ADD and DROP COLUMN have other versions.
CREATE TABLE t (id INT PRIMARY KEY, gone INT, v INT);
