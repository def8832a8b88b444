-- Every type of a JSON value, small and large, and updates of parts of values, several in one.
SET time_zone = '+00:00', sql_mode = '';
CREATE DATABASE IF NOT EXISTS golden DEFAULT CHARACTER SET utf8mb4;
DROP TABLE IF EXISTS golden.documents, golden.parts;
CREATE TABLE golden.documents (id INT AUTO_INCREMENT PRIMARY KEY, v JSON);
INSERT INTO golden.documents (v) VALUES
  ('{"a": 1.0, "b": [1, -1, 32767, -32768, 65535, 32768, 65536, -32769, 2147483647, -2147483648, 4294967295], "č": null, "d": true, "e": false}'),
  ('[2147483648, 5000000000, 9223372036854775807, -9223372036854775808, 18446744073709551615]'),
  ('[1e15, 1e14, 123456789012345680.0, 1234567890123456.7, 0.00001, 1e-14, 1e-15, 1e-16, 1.5e300, -2.5e-300, 5e-324, -0.0, 100.0]'),
  ('[]'), ('{}'), ('"plain \\\\ \\" quoted \\u0007 \\u001f \\u007f \\b\\f\\n\\r\\t / é 𝄞"'), ('1.0'), ('-0.0'), ('true'), ('null'),
  ('{"": {"": [[[[]]]]}, "long key with \\" and \\\\": "v"}'),
  (JSON_OBJECT('decimal', 1.50, 'small', -0.05, 'wide', 12345678901234567890123456789012345.123456789012345678901234567891)),
  (JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('-838:59:59' AS TIME), CAST('-00:00:00.000001' AS TIME(6)),
     CAST('2024-02-29 12:34:56.000001' AS DATETIME(6)), CAST('0000-00-00' AS DATE), CAST(2024 AS YEAR))),
  (JSON_ARRAY(CAST(x'00ff' AS BINARY), CAST(REPEAT(x'0102', 100) AS BINARY), b'101', x'', CAST('' AS BINARY))),
  (JSON_OBJECT('geo', ST_GeomFromText('POINT(1 2)'))),
  (CONCAT('{"y": ["', REPEAT('w', 66000), '", 1, -70000, 2147483648, null, {"k": [false]}], "n": 123456, "s": 1, "u": 4294967295}')),
  (CONCAT(REPEAT('[', 99), REPEAT(']', 99)));
DELETE FROM golden.documents WHERE id IN (1, 12, 17);

CREATE TABLE golden.parts (id INT PRIMARY KEY, a JSON, n INT, b JSON, c JSON);
INSERT INTO golden.parts VALUES
  (1, '{"a": 1, "b": [1, 2, 3], "c": {"d": "deep", "e \\" q": 5, "f.g": [[1, 2], {"h": 1}]}, "long": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}',
   1, '[1, {"x": 1}, [2, [3, 4]], "tail tail tail tail tail tail"]', '{"k": "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"}'),
  (2, '{"a": 1, "pad": "pppppppppppppppppppppppppppppppppppppppppppppp"}', NULL, NULL, '[]'),
  (3, '[10, 20, 30, 40, 50, 60, 70, 80, 90, "pppppppppppppppppppppppppppppppppppppppppppppp"]', NULL, '{"q": 1}', 'null');
UPDATE golden.parts SET a = JSON_SET(a, '$.a', 2) WHERE id = 1;
UPDATE golden.parts SET a = JSON_SET(a, '$.a', 3, '$.new', 'n', '$.b[1]', JSON_OBJECT('in', 1.50)) WHERE id = 1;
UPDATE golden.parts SET a = JSON_REMOVE(JSON_REPLACE(JSON_SET(a, '$.b[9]', 'appended'), '$.c.d', 'changed'), '$.b[0]') WHERE id = 1;
UPDATE golden.parts SET a = JSON_SET(a, '$.c."e \\" q"', 6, '$.c."f.g"[0][1]', CAST('2024-02-29' AS DATE)) WHERE id = 1;
UPDATE golden.parts SET a = JSON_SET(a, '$.c."f.g"[last].h', TRUE, '$."weird \\n key"', 1) WHERE id = 1;
UPDATE golden.parts SET b = JSON_REMOVE(b, '$[1].x', '$[2][1][0]') WHERE id = 1;
UPDATE golden.parts SET a = JSON_REMOVE(a, '$.long'), b = JSON_SET(b, '$[0]', 'first'), n = 2 WHERE id = 1;
UPDATE golden.parts SET c = JSON_SET(c, '$.k', 'short'), n = 3 WHERE id = 1;
UPDATE golden.parts SET c = '{"whole": 1}', a = JSON_SET(a, '$.a', 4) WHERE id = 1;
UPDATE golden.parts SET a = JSON_SET(a, '$.a', 1), n = 5 WHERE id = 2;
UPDATE golden.parts SET a = JSON_REPLACE(a, '$.missing', 1), n = 6 WHERE id = 2;
UPDATE golden.parts SET a = JSON_SET(a, '$.a', CAST('null' AS JSON)) WHERE id = 2;
UPDATE golden.parts SET a = JSON_REMOVE(a, '$[0]', '$[0]', '$[3]') WHERE id = 3;
UPDATE golden.parts SET a = JSON_SET(JSON_REMOVE(a, '$[1]'), '$[1]', 'one', '$[20]', 'end', '$[0]', JSON_ARRAY()) WHERE id = 3;
UPDATE golden.parts SET a = JSON_SET(a, '$[0][0]', 1, '$[0][1]', 2) WHERE id = 3;
UPDATE golden.parts SET c = NULL WHERE id = 3;
UPDATE golden.parts SET n = n + 1;
DELETE FROM golden.parts WHERE id = 2;
