SET time_zone = '-11:00';
UPDATE t SET v = v + 1;
REPLACE INTO t VALUES ('2024-05-01 12:00:00', -1);
SET time_zone = '+13:00';
UPDATE t SET k = k + INTERVAL @round DAY, v = 0 WHERE v = -1;
