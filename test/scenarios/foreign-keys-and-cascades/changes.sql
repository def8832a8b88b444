INSERT INTO parent VALUES (100 * @round, 100 * @round);
INSERT INTO child (p, u) VALUES (100 * @round, 100 * @round), (1, 100 * @round), (100 * @round, 1);
UPDATE parent SET id = id + 1, u = u + 1 WHERE id = 100 * @round;
DELETE FROM parent WHERE id = 100 * @round + 1;
