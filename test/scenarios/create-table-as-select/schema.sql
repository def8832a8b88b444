-- CREATE TABLE … SELECT of another table is rows and a definition in one transaction.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
