INSERT IGNORE INTO t VALUES (1, 99), (1 + @round, 300), (100 + @round, -5);
