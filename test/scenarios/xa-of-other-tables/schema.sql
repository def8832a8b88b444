-- A prepared transaction that changes none of the tables stops nobody.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
