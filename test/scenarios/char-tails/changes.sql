SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH';
INSERT INTO t VALUES (10 + @round, 'p', 'p ', 'p', 'p');
UPDATE t SET v = CONCAT(TRIM(v), ' '), c = 'q  ' WHERE id = 1;
