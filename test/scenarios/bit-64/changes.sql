INSERT INTO t SELECT id + 10 * @round, ~b, c, d FROM t WHERE id < 10;
UPDATE t SET b = b >> 1 WHERE id = 2;
