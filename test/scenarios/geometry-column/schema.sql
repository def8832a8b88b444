-- A column of a type that is not carried bit by bit is refused by name.
CREATE TABLE t (id INT PRIMARY KEY, g GEOMETRY NOT NULL SRID 4326, SPATIAL INDEX (g));
