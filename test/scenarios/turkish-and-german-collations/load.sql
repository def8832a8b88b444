INSERT INTO tr VALUES ('i', 1), ('ı', 2), ('ç', 3);
INSERT INTO de VALUES ('ä', 1), ('ss', 2), ('o', 3);
