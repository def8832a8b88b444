UPDATE t SET v = v + 1; UPDATE t SET k = IF(@round % 2, 'ABC', 'abc') WHERE k = 'abc';
DELETE FROM t WHERE k = 'Ü'; INSERT INTO t VALUES ('ü', @round);
