-- One REPLACE removes two rows that its two keys meet.
CREATE TABLE t (id INT PRIMARY KEY, u INT NOT NULL UNIQUE, v INT);
