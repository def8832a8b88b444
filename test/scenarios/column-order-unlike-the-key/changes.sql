INSERT INTO t VALUES (0, 0, 10 + @round, 1);
UPDATE t SET id = id + 100, `default` = 1 WHERE `KEY` = 1 AND id < 100;
