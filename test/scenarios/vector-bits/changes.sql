INSERT INTO t SELECT id + 10 * @round, v, long_one, longest FROM t WHERE id < 10;
UPDATE t SET v = TO_VECTOR(CONCAT('[', @round, ', -0.25]')), long_one = UNHEX(REPEAT('CDCC4C3E', 2048)) WHERE id = 1;
UPDATE t SET longest = NULL, v = x'FFFF7F7F' WHERE id = 10 * @round + 3;
