BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, IF(@round % 2, 'ANN', 'ann'), @round); COMMIT;
BEGIN; UPDATE t SET name = 'tmp' WHERE id = 1; UPDATE t SET name = 'aNN' WHERE id = 2; UPDATE t SET name = 'BOB' WHERE id = 1; UPDATE t SET name = NULL WHERE id = 1; UPDATE t SET name = 'Bob' WHERE id = 2; UPDATE t SET name = 'Ann' WHERE id = 1; COMMIT;
