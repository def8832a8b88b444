REPLACE INTO t VALUES (1, 2, 12 + @round);
REPLACE INTO t VALUES (1, 1, @round), (2, 2, @round);
