-- A generated column in the primary key is refused.
CREATE TABLE t (a INT, k INT AS (a + 1) STORED NOT NULL, PRIMARY KEY (k));
