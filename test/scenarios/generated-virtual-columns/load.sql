INSERT INTO t (a, id, b) VALUES (1, 1, 1), (NULL, 2, 2), (3, 3, 3);
