SET time_zone = '+02:00';
INSERT INTO t VALUES (10 * @round, '2024-10-27 02:30:00.25', '2024-10-27 02:30:00');
SET time_zone = '+01:00';
INSERT INTO t VALUES (10 * @round + 1, '2024-10-27 02:30:00.25', '2024-10-27 02:30:00');
UPDATE t SET b = a WHERE id < 3;
