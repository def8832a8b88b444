-- A row takes the unique value that another gave up in the same transaction.
CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL UNIQUE, b INT NOT NULL UNIQUE);
