UPDATE t SET j = JSON_SET(j, '$.a', CONCAT('short', @round)), v = v + 1;
UPDATE t SET j = JSON_REPLACE(j, '$.b[1]', @round, '$.c.d', 'x');
UPDATE t SET j = JSON_REMOVE(j, '$.b[0]') WHERE JSON_LENGTH(j, '$.b') > 1;
