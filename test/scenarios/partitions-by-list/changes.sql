INSERT INTO t VALUES (10 + @round, 'b', 0);
UPDATE t SET c = IF(c = 'a', 'z', 'a') WHERE id < 3;
