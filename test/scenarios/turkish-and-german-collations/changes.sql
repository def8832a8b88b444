UPDATE tr SET v = v + 1 WHERE k = 'İ'; UPDATE tr SET k = IF(@round % 2, 'I', 'ı') WHERE k = 'ı';
UPDATE de SET k = IF(@round % 2, 'ae', 'ä') WHERE k = 'ae'; DELETE FROM de WHERE k = 'ß'; INSERT INTO de VALUES (IF(@round % 2, 'ß', 'SS'), @round);
