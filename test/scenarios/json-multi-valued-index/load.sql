INSERT INTO t VALUES (1, '{"tags": ["a", "b"], "n": [1, 2]}'), (2, '{"tags": [], "n": []}'), (3, '{}');
