INSERT INTO t VALUES ('abc', 1), ('É', 2), ('z ', 3), ('Straße', 4);
