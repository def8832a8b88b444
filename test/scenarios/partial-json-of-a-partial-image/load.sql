INSERT INTO t VALUES (1, '{"a": "a text that is long enough to be worth it", "b": 1}');
