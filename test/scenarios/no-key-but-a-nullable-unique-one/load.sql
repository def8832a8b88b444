INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (NULL, 1), (NULL, 1), (NULL, NULL);
