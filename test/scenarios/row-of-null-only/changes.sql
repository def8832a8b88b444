INSERT INTO t (id) VALUES (10 + @round);
UPDATE t SET a = 1, b = '', c = '2024-01-01', d = 0, e = 'null', f = '', g = 0, h = 'x', i = '', j = 0 WHERE id = 1 AND @round % 2;
UPDATE t SET a = NULL, b = NULL, c = NULL, d = NULL, e = NULL, f = NULL, g = NULL, h = NULL, i = NULL, j = NULL WHERE id = 1 AND @round % 2 = 0;
