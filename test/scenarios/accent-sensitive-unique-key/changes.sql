BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, IF(@round % 2, 'E', 'e')); COMMIT;
UPDATE t SET k = IF(@round % 2, 'É', 'é') WHERE id = 2;
