INSERT INTO t VALUES (1, '{"": 1, "a": 2, "A": 3, "č": "x\\\\ \\"q\\" \\u0007 \\u0000", "🦊": []}'), (2, JSON_OBJECT(REPEAT('k', 5000), REPEAT('v', 70000))), (3, '"\\ud83e\\udd8a"');
