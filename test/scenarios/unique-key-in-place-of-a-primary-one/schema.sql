-- A NOT NULL unique key tells rows apart where there is no primary one, and is there from the first row on.
CREATE TABLE t (b INT, k VARCHAR(20) NOT NULL, a INT NOT NULL, v VARCHAR(20), UNIQUE `by two` (a DESC, k), KEY (b));
CREATE TABLE other (a INT NOT NULL, hidden INT NOT NULL, b INT, UNIQUE (a), UNIQUE unseen (hidden), UNIQUE (b));
ALTER TABLE other ALTER INDEX unseen INVISIBLE;
