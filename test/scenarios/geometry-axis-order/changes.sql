INSERT INTO t VALUES (10 * @round, ST_GeomFromText('POINT(120 45)', 4326, 'axis-order=long-lat'), ST_SRID(POINT(1, 2), 3857));
UPDATE t SET g = ST_SwapXY(ST_GeomFromText(CONCAT('POINT(', @round, ' 2)'), 4326)), p = ST_SRID(POINT(@round, 1e15), 3857) WHERE id < 3;
DELETE FROM t WHERE id = 10;
