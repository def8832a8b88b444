INSERT INTO t VALUES (10 + @round, 'l257');
UPDATE t SET e = 'l299' WHERE id = 4;
UPDATE t SET e = CONCAT('l', 255 + @round) WHERE id = 1;
