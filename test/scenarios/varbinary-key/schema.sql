-- VARBINARY keys that differ in trailing zero bytes are different keys.
CREATE TABLE t (k VARBINARY(8) NOT NULL PRIMARY KEY, v INT);
