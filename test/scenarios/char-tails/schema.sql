-- CHAR drops spaces at its end, VARCHAR keeps them.
CREATE TABLE t (id INT PRIMARY KEY, c CHAR(6), v VARCHAR(6), b CHAR(6) COLLATE utf8mb4_bin, n CHAR(6) COLLATE utf8mb4_0900_bin);
