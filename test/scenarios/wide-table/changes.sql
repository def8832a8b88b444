INSERT INTO t (id, c7, c9, c299) VALUES (10 + @round, 7, 'nine', 299);
UPDATE t SET c150 = CONCAT('r', @round), c1 = NULL WHERE id < 3;
