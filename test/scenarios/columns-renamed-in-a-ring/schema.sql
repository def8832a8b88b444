-- Two columns that swap names keep types and places.
CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT);
