INSERT INTO t (k, n) VALUES ('a', 1), ('b', 1);
