-- A zero date is a key like any other.
CREATE TABLE t (d DATE NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (d, n));
