UPDATE t SET j = JSON_SET(j, '$[7]', CONCAT('changed ', @round)) WHERE id = 1;
UPDATE t SET j = JSON_REMOVE(j, CONCAT('$.key', @round)) WHERE id = 2;
