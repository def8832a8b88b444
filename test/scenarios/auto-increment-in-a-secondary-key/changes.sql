INSERT INTO t (a, b) VALUES (10 + @round, 1);
UPDATE t SET b = b + 10 WHERE a = 10 + @round;
