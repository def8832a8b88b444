BEGIN; INSERT INTO t VALUES (10 + @round, 1); UPDATE t SET next = 10 + @round WHERE id = 3; COMMIT;
BEGIN; UPDATE t SET next = 2 WHERE id = 3; DELETE FROM t WHERE id = 10 + @round; COMMIT;
