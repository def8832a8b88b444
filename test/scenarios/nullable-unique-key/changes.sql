INSERT INTO t VALUES (10 + @round, 1, NULL), (20 + @round, NULL, 'x');
UPDATE t SET a = NULL WHERE id = 5;
UPDATE t SET a = 1 WHERE id = 5;
DELETE FROM t WHERE id = 9 + @round;
