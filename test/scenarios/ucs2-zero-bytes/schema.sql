-- Half of the bytes of ucs2 text are 0.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40) CHARACTER SET ucs2, c CHAR(4) CHARACTER SET ucs2);
