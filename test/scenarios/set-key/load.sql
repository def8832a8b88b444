INSERT INTO t VALUES ('', 1), ('a', 2), ('b,c', 3), ('a,b,c', 4);
