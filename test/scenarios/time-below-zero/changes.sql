INSERT INTO t SELECT id + 10 * @round, a, b, c FROM t WHERE id < 10;
UPDATE t SET a = '-00:00:01.5', b = '-00:01:00.0', c = '100:00:00' WHERE id = 10 * @round + 1;
