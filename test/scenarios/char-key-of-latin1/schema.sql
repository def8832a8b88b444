-- A CHAR key of one byte a character.
CREATE TABLE t (k CHAR(8) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL PRIMARY KEY, v INT);
