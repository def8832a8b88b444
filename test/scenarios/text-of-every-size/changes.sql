INSERT INTO t VALUES (10 + @round, REPEAT('a', 254), REPEAT('b', 256), REPEAT('c', 70000), REPEAT('d', 254), REPEAT('e', 255), '', REPEAT(x'5C', 256));
UPDATE t SET a = NULL, c = b, e = d WHERE id = 10 + @round;
