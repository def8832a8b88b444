INSERT INTO t SELECT id + 10 * @round, -d, -e, -f FROM t WHERE id < 10;
UPDATE t SET d = d + 1e-30 WHERE id = 1;
