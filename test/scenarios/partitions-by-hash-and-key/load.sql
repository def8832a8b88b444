INSERT INTO h VALUES (1, 1), (2, 2), (3, 3), (-4, 4);
INSERT INTO k VALUES ('a', 1, 1), ('b', 1, 2), ('A', 2, 3);
INSERT INTO s VALUES (1, 1, 1), (2, 20, 2);
