INSERT INTO t VALUES (10 + @round, '🏳️‍🌈', '\\\\N\n\\N');
UPDATE t SET v = w, w = '\\N' WHERE id = 5;
