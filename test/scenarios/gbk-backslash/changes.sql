INSERT INTO t VALUES (10 + @round, _gbk x'BF5C5C', _gbk x'8E5C');
UPDATE t SET v = _gbk x'A15C27' WHERE id = 3;
