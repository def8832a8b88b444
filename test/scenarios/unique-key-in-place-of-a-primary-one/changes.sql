UPDATE t SET v = CONCAT('changed ', @round) WHERE a = 10;
UPDATE t SET a = a + 1000 WHERE k = 'key 3' AND a < 1000 LIMIT 5;
UPDATE t SET k = UPPER(k) WHERE a = 20;
DELETE FROM t WHERE a = 30 LIMIT 1;
INSERT IGNORE INTO t VALUES (1, 'new', 30 + @round, 'n');
UPDATE other SET a = a + 10 * @round ORDER BY a DESC;
