-- A session that logs statements writes rows that no row event has.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
