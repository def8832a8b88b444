INSERT INTO t (id, v, hidden) VALUES (10 + @round, 0, CONCAT('r', @round));
UPDATE t SET also = IFNULL(also, 0) + 1, hidden = NULL WHERE id = 2;
