-- A geographic system puts the latitude first in texts and the longitude first in what it stores.
CREATE TABLE t (id INT PRIMARY KEY, g GEOMETRY NOT NULL SRID 4326, p POINT SRID 3857, SPATIAL INDEX (g));
