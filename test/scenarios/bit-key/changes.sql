UPDATE t SET v = v + 1;
INSERT INTO t VALUES (@round + 1000, 1);
UPDATE t SET k = k + 5000 WHERE k = @round + 1000;
