INSERT INTO t (k, n) VALUES ('a', 1), (CONCAT('n', @round), 1), ('b', 5) AS new ON DUPLICATE KEY UPDATE n = t.n + new.n;
INSERT INTO t (k, n) VALUES ('a', 1) ON DUPLICATE KEY UPDATE id = id + 1000;
