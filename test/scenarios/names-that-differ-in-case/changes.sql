UPDATE Item SET Name = CONCAT('U', @round) WHERE id = 1;
UPDATE item SET name = CONCAT('l', @round) WHERE id = 1;
INSERT INTO item VALUES (10 + @round, 'l'); DELETE FROM Item WHERE ID = 2; INSERT INTO Item VALUES (2, 'again');
