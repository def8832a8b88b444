-- A trigger that is created while the table moves is seen.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
