-- Differences of JSON in an image without the value before belong to nothing.
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
