INSERT INTO t SELECT id + 10 * @round, g, p, l, pg, mp, ml, mpg, gc FROM t WHERE id < 10;
UPDATE t SET g = ST_GeomFromText(CONCAT('LINESTRING(0 0, ', @round, ' 0.1)')), gc = ST_GeomFromText('GEOMETRYCOLLECTION(GEOMETRYCOLLECTION EMPTY)') WHERE id = 1;
UPDATE t SET g = gc, gc = ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'), p = NULL WHERE id = 10 * @round + 1;
