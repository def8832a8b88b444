-- Under a NO PAD collation 'a' and 'a ' are two keys.
CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_0900_bin NOT NULL PRIMARY KEY, v INT);
