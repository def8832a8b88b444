-- Sessions in several zones write one TIMESTAMP key.
CREATE TABLE t (k TIMESTAMP(2) NOT NULL PRIMARY KEY, v INT);
