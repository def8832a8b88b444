-- A JSON document of more than 64 KiB has offsets of four bytes.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
