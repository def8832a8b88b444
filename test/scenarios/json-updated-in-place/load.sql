INSERT INTO t VALUES (1, '{"a": "a long text that is shortened", "b": [1, 2, 3], "c": {"d": 1}}', 0);
