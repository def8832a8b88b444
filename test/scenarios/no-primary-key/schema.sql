-- A table without a primary key is refused: its rows cannot be told apart.
CREATE TABLE t (a INT, b INT, KEY (a));
