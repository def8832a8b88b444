UPDATE t SET v = v + 1;
INSERT INTO t (id, v, last_one) VALUES (10 + @round, 0, NULL);
