INSERT INTO t (v) VALUES (1000 + @round), (1000 + @round);
UPDATE t SET v = v + 1 WHERE v % 5 = 0;
DELETE FROM t WHERE v % 97 = @round;
