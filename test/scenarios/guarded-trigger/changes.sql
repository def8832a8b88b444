INSERT INTO t (id, v) VALUES (10 + @round, @round);
UPDATE t SET v = v + 1 WHERE id > 1;
INSERT INTO documents VALUES (JSON_ARRAY(@round), @round), ('[1]', 1);
DELETE FROM documents WHERE n = 1 LIMIT 1;
