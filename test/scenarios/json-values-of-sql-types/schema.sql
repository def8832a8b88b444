-- A DECIMAL, DATE or TIME inside JSON keeps its type in the log.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
