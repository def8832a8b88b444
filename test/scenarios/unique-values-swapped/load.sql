INSERT INTO t VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0);
