-- Keys under collations with rules of a language.
CREATE TABLE tr (k VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_tr_0900_ai_ci PRIMARY KEY, v INT);
CREATE TABLE de (k VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_german2_ci PRIMARY KEY, v INT);
