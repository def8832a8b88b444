UPDATE t SET v = v + 1;
UPDATE t SET k = k + 0.5 WHERE k = 0 OR k = 0.5;
INSERT INTO t VALUES (@round * 1000, 0);
DELETE FROM t WHERE k = (@round - 1) * 1000;
