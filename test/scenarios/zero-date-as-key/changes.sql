SET sql_mode = '';
UPDATE t SET v = v + 1;
UPDATE t SET n = n + 1 WHERE d = '0000-00-00';
