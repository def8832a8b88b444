INSERT INTO t VALUES ('z', 1, 1), ('m', 1, 2), ('a', 1, 3), ('a', 2, 4);
