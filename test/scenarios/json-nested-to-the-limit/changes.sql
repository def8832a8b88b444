INSERT INTO t SELECT id + 10 * @round, j FROM t WHERE id < 10;
UPDATE t SET j = JSON_SET(j, CONCAT('$', REPEAT('.a[0]', 49)), CAST(@round AS UNSIGNED)) WHERE id = 10 * @round + 2;
