UPDATE t SET v = v + 1 WHERE d = 0;
UPDATE t SET d = IF(@round % 2, 0e0, -0e0) WHERE d = 0;
INSERT INTO t VALUES (@round + 0.25, 9);
