-- A key that descends is copied in ranges from its end.
CREATE TABLE t (a INT NOT NULL, b INT NOT NULL, v INT, PRIMARY KEY (a DESC, b));
