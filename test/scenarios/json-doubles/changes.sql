INSERT INTO t SELECT id + 10 * @round, JSON_ARRAY(j, 1.5e0, -1e-9) FROM t WHERE id < 10;
UPDATE t SET j = JSON_ARRAY(2e0 * @round, 1e0) WHERE id = 2;
