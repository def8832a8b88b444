INSERT INTO c VALUES (10 + @round, REPEAT('d', 20000)); UPDATE r SET v = CONCAT(v, @round);
