-- A unique key tells accents and not case.
CREATE TABLE t (id INT PRIMARY KEY, k VARCHAR(20) COLLATE utf8mb4_0900_as_ci, UNIQUE (k));
