-- A statement's rows are cut into several events.
CREATE TABLE t (id INT PRIMARY KEY, b VARBINARY(2000));
