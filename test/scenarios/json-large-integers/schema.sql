-- Integers of JSON above 2^53 and 2^63 keep their digits.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
