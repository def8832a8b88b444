INSERT INTO t SELECT id + 10 * @round, b, c, v FROM t WHERE id < 10;
UPDATE t SET b = x'0100', v = x'00' WHERE id = 10 * @round + 3;
