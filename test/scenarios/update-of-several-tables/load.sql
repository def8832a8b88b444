INSERT INTO a VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO b VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3);
