INSERT INTO h VALUES (10 + @round, 0); UPDATE h SET id = id + 100 WHERE id = 10 + @round;
INSERT INTO k VALUES (CONCAT('r', @round), 1, 0); UPDATE k SET a = UPPER(a) WHERE a = CONCAT('r', @round);
UPDATE s SET y = 30 - y WHERE id = 1; INSERT INTO s VALUES (10 + @round, 5, 0);
