INSERT INTO t VALUES (1, 'same'), (1, 'same'), (1, 'same'), (1, 'SAME'), (1, 'same '), (NULL, NULL), (NULL, NULL), (2, NULL), (NULL, '');
INSERT INTO t WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300) SELECT n % 50, CONCAT('row ', n % 20) FROM n;
