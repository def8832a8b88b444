INSERT INTO t VALUES (1, 'the quick brown fox', 1), (2, 'jumps over', 2), (3, NULL, NULL);
