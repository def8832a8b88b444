-- A column that says no system has values of several, and each keeps its own.
CREATE TABLE t (id INT PRIMARY KEY, g GEOMETRY, v INT, s INT AS (ST_SRID(g)) STORED, KEY (s));
