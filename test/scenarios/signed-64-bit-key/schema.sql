-- The smallest signed number is a key.
CREATE TABLE t (k BIGINT NOT NULL PRIMARY KEY, v INT);
