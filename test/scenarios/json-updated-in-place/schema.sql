-- An update of a part of JSON in place leaves gaps in what the source stores.
CREATE TABLE t (id INT PRIMARY KEY, j JSON, v INT);
