INSERT INTO t VALUES (-0e0, 1), (1.5, 2), (-1e-300, 3);
