INSERT INTO t VALUES (10 + @round, CONCAT('lazy dog ', @round), @round);
UPDATE t SET body = CONCAT(body, ' again') WHERE MATCH (body) AGAINST ('fox');
DELETE FROM t WHERE id = 9 + @round;
