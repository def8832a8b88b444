INSERT INTO t VALUES (1, NULL, NULL), (2, NULL, NULL), (3, 1, NULL), (4, 1, NULL), (5, 1, 'x');
