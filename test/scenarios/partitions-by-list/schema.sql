-- LIST COLUMNS partitions, by text and number.
CREATE TABLE t (id INT NOT NULL, c VARCHAR(5) NOT NULL, v INT, PRIMARY KEY (id, c)) PARTITION BY LIST COLUMNS (c) (PARTITION a VALUES IN ('a', 'b'), PARTITION z VALUES IN ('y', 'z'));
