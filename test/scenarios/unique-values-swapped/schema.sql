-- Two rows swap a unique value within one transaction.
CREATE TABLE t (id INT PRIMARY KEY, u INT NOT NULL UNIQUE, v INT);
