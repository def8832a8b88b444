INSERT INTO t VALUES (1, REPEAT('x', 1000)), (2, 'short');
