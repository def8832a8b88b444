-- A GTID with a tag belongs to the same server.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
