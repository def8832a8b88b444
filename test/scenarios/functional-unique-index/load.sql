INSERT INTO t VALUES (1, 'Ann', 1), (2, 'Bob', 2), (3, NULL, 3), (4, NULL, 4);
