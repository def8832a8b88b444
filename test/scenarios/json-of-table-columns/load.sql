SET SESSION sql_mode = '';
INSERT INTO c VALUES (1, 1.50, x'010203', x'FF00', x'01', x'0900', x'03', REPEAT(x'CA', 70000), b'100000001', 18446744073709551615, 2000, POINT(1, 2), 'a', 'x,y', '2020-01-01 00:00:00.5', 5, 5000000000, 0.1, -0.0),
(2, -0.01, x'', x'', x'', x'', x'', x'', 0, 0, 0, POINT(0, -0.0), 0, '', 0, 4294967295, -1, 1e38, 1e308);
INSERT INTO t SELECT id, JSON_OBJECT('de', de, 'b', b, 'vb', vb, 'tb', tb, 'bl', bl, 'mb', mb, 'lb', lb, 'bi', bi, 'bx', bx, 'y', y, 'g', g, 'e', e, 's', s, 'ts', ts, 'iu', iu, 'bs', bs, 'f', f, 'd', d) FROM c;
INSERT INTO t SELECT id + 2, CAST(tb AS JSON) FROM c;
