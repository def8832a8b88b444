INSERT INTO t VALUES (1, 'l1'), (2, 'l255'), (3, 'l256'), (4, 'l300');
