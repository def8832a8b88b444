SET foreign_key_checks = 0;
INSERT INTO t VALUES (1, 3), (2, 1), (3, 2);
