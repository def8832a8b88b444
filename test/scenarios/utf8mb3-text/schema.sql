-- utf8mb3 columns are not sent as utf8mb4.
CREATE TABLE t (id INT PRIMARY KEY, k VARCHAR(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci, UNIQUE (k));
