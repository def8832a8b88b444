-- Under a PAD SPACE collation 'a' and 'a ' are one key.
CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, v INT);
