UPDATE t SET v = v + 1;
DELETE FROM t WHERE k = x'41000000';
INSERT INTO t VALUES (x'41', @round);
UPDATE t SET k = CONCAT(x'43', CHAR(@round), x'0000') WHERE k = x'41000000';
INSERT INTO t VALUES (x'41', @round);
