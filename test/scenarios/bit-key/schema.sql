-- A BIT primary key finds its row.
CREATE TABLE t (k BIT(33) NOT NULL PRIMARY KEY, v INT);
