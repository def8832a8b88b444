UPDATE t SET v = v + 1;
UPDATE t SET a = a + 1 WHERE b = '';
INSERT INTO t VALUES (@round, 'n', '2024-02-29', @round, 0);
DELETE FROM t WHERE d = @round - 1 AND b = 'n';
