INSERT INTO t VALUES (1, '{"a": "a text that is long enough to be worth it", "b": 1, "list": [1, 2, {"x": "y"}, 4], "": "no name"}', 1, '[1]', 'x'),
(2, JSON_OBJECT('a', REPEAT('long ', 20000), 'd', 1.50, 'date', DATE'2024-02-29', 'u', CAST(7 AS UNSIGNED), 'list', JSON_ARRAY(1.5, x'CAFE', 4294967296)), 2, NULL, 'y'),
(3, '["one text that is long", "two texts", {"k": "v", "é\\n": "é"}, 1e308, -0.0, 1.0, 18446744073709551615]', 3, '{}', NULL);
