-- Values at the borders of one, two and three bytes of length.
CREATE TABLE t (id INT PRIMARY KEY, a TINYTEXT, b TEXT, c MEDIUMTEXT, d VARCHAR(255) CHARACTER SET latin1, e VARCHAR(256) CHARACTER SET latin1, f TINYBLOB, g BLOB);
