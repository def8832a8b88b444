BEGIN;
UPDATE t SET u = -1 WHERE id = 1; UPDATE t SET u = 10 + 100 * @round WHERE id = 2; UPDATE t SET u = 20 + 100 * @round WHERE id = 1;
UPDATE t SET u = -1 WHERE id = 1; UPDATE t SET u = 20 + 100 * @round WHERE id = 2; UPDATE t SET u = 10 + 100 * @round WHERE id = 1;
COMMIT;
