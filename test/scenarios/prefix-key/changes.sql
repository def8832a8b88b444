UPDATE t SET v = v + 1;
UPDATE t SET k = CONCAT('abc', @round) WHERE k LIKE 'abc%';
DELETE FROM t WHERE n = 9; INSERT INTO t VALUES ('long enough', 9, REPEAT('z', 1000), @round);
