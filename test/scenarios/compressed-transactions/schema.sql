-- A compressed transaction is unpacked, however it is mixed with others.
CREATE TABLE t (id INT PRIMARY KEY, v TEXT);
