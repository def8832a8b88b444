INSERT INTO t VALUES (1, 'ěščř'), (2, '￿'), (3, 'ß');
