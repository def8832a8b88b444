-- The second byte of an sjis character may be a backslash.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40) CHARACTER SET sjis);
