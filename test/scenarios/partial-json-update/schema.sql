-- The difference of a JSON value is not its value: the value is made from it and what was before.
CREATE TABLE t (id INT PRIMARY KEY, j JSON, n INT, k JSON, txt TEXT);
