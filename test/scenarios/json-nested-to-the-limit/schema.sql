-- A document of a hundred levels, the most that a server takes, with a value of an SQL type in the innermost.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
