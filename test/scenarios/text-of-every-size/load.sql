INSERT INTO t VALUES (1, REPEAT('a', 255), REPEAT('b', 65535), REPEAT('c', 65536), REPEAT('d', 255), REPEAT('e', 256), REPEAT(x'00', 255), REPEAT(x'FF', 65535)), (2, '', '', '', '', '', '', '');
