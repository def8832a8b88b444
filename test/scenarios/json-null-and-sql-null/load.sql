INSERT INTO t VALUES (1, NULL, 'null'), (2, 'null', '{}'), (3, '[null]', '""');
