BEGIN; UPDATE a, b, c, d SET a.v = a.v + 1, b.v = a.v, c.v = b.v + 1, d.v = 0 WHERE a.id = b.id AND b.id = c.id AND c.id = d.id;
INSERT INTO a VALUES (10 + @round, 0); INSERT INTO d SELECT * FROM a WHERE id = 10 + @round; DELETE FROM a WHERE id = 10 + @round; COMMIT;
