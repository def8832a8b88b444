INSERT INTO t VALUES (10 + @round, CONCAT('ю', @round));
UPDATE t SET k = CONCAT('б', @round) WHERE id = 1;
