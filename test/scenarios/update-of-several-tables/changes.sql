UPDATE a JOIN b ON b.a = a.id SET a.v = a.v + 1, b.v = b.v + a.v;
INSERT INTO a VALUES (10 + @round, 0); INSERT INTO b VALUES (10 + @round, 10 + @round, 0);
DELETE a, b FROM a JOIN b ON b.a = a.id WHERE a.id = 9 + @round;
