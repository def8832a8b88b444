INSERT INTO t VALUES (1, 1), (2, 2);
INSERT INTO t (id, v, hidden, also) VALUES (3, 3, 'shown', 7);
