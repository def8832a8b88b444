-- A VECTOR column is refused rather than copied by luck.
CREATE TABLE t (id INT PRIMARY KEY, embedding VECTOR(3));
