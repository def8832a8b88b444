UPDATE t SET v = v + 1;
UPDATE t SET f = f * 1.5 WHERE v = 2 + @round AND f > 1000 AND f < 1e30;
INSERT INTO t VALUES (@round + 0.3, 0);
