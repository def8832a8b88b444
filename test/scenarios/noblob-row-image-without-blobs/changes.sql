SET SESSION binlog_row_image = NOBLOB;
UPDATE t SET w = w + 1 WHERE id = 1; INSERT INTO t VALUES (10 + @round, 'new', 0); DELETE FROM t WHERE id = 9 + @round;
SET SESSION binlog_row_image = FULL;
