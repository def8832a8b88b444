-- A NOT NULL unique key in place of a primary key is refused by name.
CREATE TABLE t (a INT NOT NULL, b INT, UNIQUE (a));
