-- A BINARY key that ends in 0x00, 0x20 or 0xFF is found again.
CREATE TABLE t (k BINARY(4) NOT NULL PRIMARY KEY, v INT);
