INSERT INTO t SELECT id + 10 * @round, e, f FROM t WHERE id < 10;
UPDATE t SET e = IF(e = '1', '2', '1') WHERE id = 3;
