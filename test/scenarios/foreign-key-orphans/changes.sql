SET foreign_key_checks = 0;
INSERT INTO c VALUES (10 + @round, 888);
UPDATE c SET p = 999 WHERE id = 2;
