INSERT INTO t VALUES (10 + @round, @round);
UPDATE t SET n = n + 1;
