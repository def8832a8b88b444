SET sql_mode = 'ALLOW_INVALID_DATES';
INSERT INTO t SELECT id + 10 * @round, a, b, c FROM t WHERE id < 10;
UPDATE t SET a = '2024-00-01', b = '2021-04-31', c = 0 WHERE id = 10 * @round + 4;
