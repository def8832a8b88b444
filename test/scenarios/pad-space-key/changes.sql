UPDATE t SET v = v + 1 WHERE k = 'a   ';
UPDATE t SET k = IF(@round % 2, 'b', 'b ') WHERE k = 'b';
DELETE FROM t WHERE k = 'c'; INSERT INTO t VALUES (CONCAT('c', SPACE(@round)), @round);
