UPDATE t SET v = v + 1;
INSERT INTO t (id, g, v) SELECT id + 10 * @round, g, @round FROM t WHERE id < 10;
UPDATE t SET g = ST_SRID(g, IF(ST_SRID(g) = 4326, 4258, 4326)) WHERE id IN (2, 3);
