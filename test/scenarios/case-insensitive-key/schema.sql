-- 'ABC' is the row 'abc', and a change of case alone is a change.
CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci NOT NULL PRIMARY KEY, v INT);
