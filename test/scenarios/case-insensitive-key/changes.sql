UPDATE t SET v = v + 1 WHERE k = 'ABC';
UPDATE t SET k = IF(@round % 2, 'ABC', 'abc') WHERE k = 'abc';
UPDATE t SET k = IF(@round % 2, 'e', 'É') WHERE k = 'e';
DELETE FROM t WHERE k = 'STRASSE'; INSERT INTO t VALUES (IF(@round % 2, 'STRASSE', 'Straße'), @round);
