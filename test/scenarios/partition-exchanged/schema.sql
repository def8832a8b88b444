-- Exchanging a partition brings rows without a row event.
CREATE TABLE t (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20));
CREATE TABLE outside (id INT PRIMARY KEY);
