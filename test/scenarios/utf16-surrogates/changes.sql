INSERT INTO t VALUES (10 + @round, '𝄞\\''', '𝄞\\''', '𝄞\\''');
UPDATE t SET v = 'a', w = '🦊', x = 'ž' WHERE id = 3;
