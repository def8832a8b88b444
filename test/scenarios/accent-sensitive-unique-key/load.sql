INSERT INTO t VALUES (1, 'e'), (2, 'é'), (3, 'E '), (4, NULL), (5, NULL);
