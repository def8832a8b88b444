SET sql_mode = '';
INSERT INTO t (id) VALUES (10 + @round);
UPDATE t SET a = '2024-01-01' WHERE id = 1;
