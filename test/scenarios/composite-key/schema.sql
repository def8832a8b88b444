-- A key of four columns in an order of its own.
CREATE TABLE t (a INT, b VARCHAR(10) COLLATE utf8mb4_bin, c DATE, d BIGINT UNSIGNED, v INT, PRIMARY KEY (d, b, a, c));
