-- Keys above 2^53 and 2^63 are not rounded.
CREATE TABLE t (k BIGINT UNSIGNED NOT NULL PRIMARY KEY, v INT);
