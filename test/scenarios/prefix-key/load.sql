INSERT INTO t VALUES ('abcdef', 1, 'xyz', 1), ('abdxxx', 1, 'xyz', 2), ('ab', 1, '', 3);
