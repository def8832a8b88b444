INSERT INTO t VALUES ('', 1), ('a', 2), ('a\t', 3), ('A', 4), ('b  ', 5);
