SET sql_mode = '';
INSERT INTO t VALUES (1, 'none'), (2, ''), (3, 'a'), (4, '0'), (5, NULL), (6, 0);
