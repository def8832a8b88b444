INSERT INTO t (id, c1, c300) VALUES (1, 1, 'last'), (2, NULL, NULL);
