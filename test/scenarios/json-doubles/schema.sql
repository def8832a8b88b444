-- A JSON 1.0 is not 1, and every double has all of its digits.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
