INSERT INTO t VALUES (10 + @round, @round, 42, 0.1, 0.1);
UPDATE t SET f = f / 3, d = d / 3 WHERE id = 1;
