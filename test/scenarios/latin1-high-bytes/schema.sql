-- Every byte of latin1, the undefined ones too, stays that byte.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(300) CHARACTER SET latin1, c CHAR(4) CHARACTER SET latin1);
