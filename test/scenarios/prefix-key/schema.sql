-- A primary key over the first characters of a text.
CREATE TABLE t (k VARCHAR(40) COLLATE utf8mb4_bin NOT NULL, n INT NOT NULL, b BLOB NOT NULL, v INT, PRIMARY KEY (k(3), n, b(2)));
