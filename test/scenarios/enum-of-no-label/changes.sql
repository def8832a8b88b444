SET sql_mode = '';
INSERT INTO t SELECT id + 10 * @round, e FROM t WHERE id < 10;
UPDATE t SET e = 0 WHERE id = 3 + 10 * @round;
UPDATE t SET e = '0' WHERE id = 1 + 10 * @round;
