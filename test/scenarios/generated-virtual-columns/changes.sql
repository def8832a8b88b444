INSERT INTO t (a, id, b) VALUES (@round, 10 + @round, 0);
UPDATE t SET a = b + @round, b = g WHERE id < 3;
DELETE FROM t WHERE g = 4 AND id > 10;
