INSERT INTO t SELECT id + 10 * @round, JSON_ARRAY(lb, JSON_ARRAY(bi, b, mb), ts, JSON_OBJECT('k', iu, 'l', bs, 'bl', bl)) FROM c;
UPDATE t JOIN c ON c.id = 1 SET t.j = JSON_ARRAY(t.id, c.vb, c.bx, c.tb, c.y) WHERE t.id = 3;
