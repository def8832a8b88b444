INSERT INTO t VALUES (10 + @round, JSON_OBJECT('tags', JSON_ARRAY('x', CONCAT('r', @round)), 'n', JSON_ARRAY(@round)));
UPDATE t SET j = JSON_SET(j, '$.tags[0]', 'z') WHERE id = 1;
DELETE FROM t WHERE 'r1' MEMBER OF (j->'$.tags');
