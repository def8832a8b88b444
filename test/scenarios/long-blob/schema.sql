-- A row of many megabytes, near the largest packet.
CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB, s LONGTEXT);
