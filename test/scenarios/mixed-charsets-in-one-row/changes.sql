INSERT INTO t SELECT id + 10 * @round, a, b, c, d, e, f, g, h, i FROM t WHERE id < 10;
UPDATE t SET a = 'ž', b = 'ж', c = _big5 x'AE5C', e = 'ω' WHERE id = 2;
