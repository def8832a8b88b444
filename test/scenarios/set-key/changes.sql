UPDATE t SET v = v + 1;
DELETE FROM t WHERE s = 'c';
INSERT INTO t VALUES ('c', @round);
