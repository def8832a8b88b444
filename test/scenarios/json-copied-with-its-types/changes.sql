INSERT INTO t (id, n, v, other) SELECT id + 10 * @round, n, v, other FROM t WHERE id < 10;
UPDATE t SET other = JSON_ARRAY_APPEND(IFNULL(other, '[]'), '$', CAST(@round + 0.5 AS DECIMAL(10,3)), '$', CAST(@round AS UNSIGNED)) WHERE id < 5;
UPDATE t SET v = JSON_SET(v, '$.date', CAST('2024-02-31' AS CHAR)) WHERE id = 6;
