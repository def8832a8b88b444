-- STORED columns, one of them unique, are computed anew by each home.
CREATE TABLE t (id INT PRIMARY KEY, d DATETIME, y INT AS (YEAR(d)) STORED, m VARCHAR(7) AS (DATE_FORMAT(d, '%Y-%m')) STORED, u INT AS (id * 7) STORED UNIQUE);
