INSERT INTO t VALUES (10 + @round, _sjis x'8A5C27');
UPDATE t SET v = _sjis x'975C' WHERE id = 2;
