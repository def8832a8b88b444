SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT INTO t VALUES (0, 1), (-5, 2), (7, 3);
