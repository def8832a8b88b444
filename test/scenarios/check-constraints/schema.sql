-- CHECK constraints, one of them not enforced, keep their names.
CREATE TABLE t (id INT PRIMARY KEY, n INT, CONSTRAINT positive CHECK (n > 0), CONSTRAINT loose CHECK (n < 5) NOT ENFORCED);
