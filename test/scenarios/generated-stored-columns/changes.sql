INSERT INTO t (id, d) VALUES (10 + @round, '2025-01-01');
UPDATE t SET d = d + INTERVAL 1 MONTH WHERE id < 10;
UPDATE t SET id = id + 100 WHERE id = 10 + @round;
