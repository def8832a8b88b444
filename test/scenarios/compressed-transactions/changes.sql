SET SESSION binlog_transaction_compression = ON;
BEGIN; INSERT INTO t VALUES (10 + @round, REPEAT('compressed ', 5000)); UPDATE t SET v = CONCAT('y', v); DELETE FROM t WHERE id = 9 + @round; COMMIT;
SET SESSION binlog_transaction_compression = OFF;
UPDATE t SET v = 'plain' WHERE id = 2;
