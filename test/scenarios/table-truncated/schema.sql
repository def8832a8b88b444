-- TRUNCATE removes rows without a row event.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
