INSERT INTO t VALUES ('abc', 1), ('ü', 2), ('', 3), (x'80FF', 4);
