UPDATE t SET v = v + @round WHERE b = 3;
UPDATE t SET a = a + 1000 WHERE a = @round;
DELETE FROM t WHERE a = 10 + @round;
