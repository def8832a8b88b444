INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO child (p, u) VALUES (1, 1), (1, 2), (2, 1), (3, 3);
