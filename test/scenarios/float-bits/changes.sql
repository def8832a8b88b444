INSERT INTO t SELECT id + 100 * @round, f FROM t WHERE id < 100;
UPDATE t SET f = f * 1.0000001 WHERE id % 100 = 7;
UPDATE t SET f = -0.0 WHERE id = 100 * @round + 1;
DELETE FROM t WHERE id = 100 * @round + 5;
