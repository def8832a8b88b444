-- Transactions that change nothing have a GTID and no rows.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
