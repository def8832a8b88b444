UPDATE t SET s = CONCAT('round ', @round) WHERE id = 1;
REPLACE INTO t VALUES (3, REPEAT(x'0A095C4E', 2500000 + @round), NULL);
