UPDATE t SET v = v + 10 WHERE k = 'a';
UPDATE t SET v = v + 1 WHERE k = 'a ';
DELETE FROM t WHERE k = ' '; INSERT INTO t VALUES (' ', @round);
UPDATE t SET k = CONCAT(k, ' ') WHERE k = CONCAT('A', SPACE(@round - 1));
