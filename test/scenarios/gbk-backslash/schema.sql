-- The second byte of a gbk character may be a backslash.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40) CHARACTER SET gbk, t TEXT CHARACTER SET gbk);
