INSERT INTO t SELECT id + 10 * @round, j FROM t WHERE id < 10;
UPDATE t SET j = JSON_REMOVE(JSON_SET(j, '$."é\\n"', 'é\t', '$.n', @round), '$.a') WHERE id = 1;
