INSERT INTO t VALUES (10 + @round, 18446744073709551615 - @round);
UPDATE t SET s = s - 1 WHERE id = 1 AND @round = 1;
