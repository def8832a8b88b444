INSERT INTO t VALUES (x'', 1), (x'00', 2), (x'0000', 3), (x'FF27', 4);
