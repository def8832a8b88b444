INSERT INTO t VALUES (10 + @round, 0, 0, 0);
UPDATE t SET d = 0 WHERE id = 2;
