UPDATE t SET v = v + 1;
UPDATE t SET e = 'm' WHERE e = 'z' AND n = 10 + @round - 1;
INSERT INTO t VALUES ('z', 10 + @round, 0);
DELETE FROM t WHERE e = 'm' AND n = 10 + @round - 2;
