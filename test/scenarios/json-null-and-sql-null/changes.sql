INSERT INTO t VALUES (10 + @round, IF(@round % 2, NULL, 'null'), 'null');
UPDATE t SET j = IF(j IS NULL, CAST('null' AS JSON), NULL) WHERE id < 3;
