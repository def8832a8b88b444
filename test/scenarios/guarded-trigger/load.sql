INSERT INTO t (id, v) VALUES (1, 1), (2, 2);
INSERT INTO documents VALUES ('[1]', 1), ('[1]', 1), ('[2]', 2);
