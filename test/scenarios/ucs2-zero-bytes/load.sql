INSERT INTO t VALUES (1, 'ab', 'x'), (2, _ucs2 x'000A005C0009', ''), (3, _ucs2 x'D800', 'ž');
