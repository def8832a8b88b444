-- DATETIME(6) keys that differ in a microsecond.
CREATE TABLE t (k DATETIME(6) NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (k, n));
