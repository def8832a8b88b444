SET foreign_key_checks = 0;
INSERT INTO c VALUES (1, 777), (2, 1);
INSERT INTO p VALUES (1);
