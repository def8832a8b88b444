INSERT INTO t SELECT id + 100 * @round, d FROM t WHERE id < 100;
UPDATE t SET d = d / 3 WHERE id % 100 = 6;
DELETE FROM t WHERE id = 100 * @round + 1;
