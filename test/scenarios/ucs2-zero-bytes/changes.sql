INSERT INTO t VALUES (10 + @round, _ucs2 x'00270000005C', 'ab');
UPDATE t SET v = _ucs2 x'4E2D' WHERE id = 1;
