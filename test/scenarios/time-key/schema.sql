-- A TIME key spans the sign and more than a day.
CREATE TABLE t (k TIME(3) NOT NULL PRIMARY KEY, v INT);
