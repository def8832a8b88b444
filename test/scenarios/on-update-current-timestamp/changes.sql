SET timestamp = 1700000000.123456 + @round;
INSERT INTO t (id, v) VALUES (10 + @round, 0);
UPDATE t SET v = v + 1 WHERE id = 1;
UPDATE t SET v = v + 1, ts = ts, dt = dt WHERE id = 3;
