INSERT INTO t (v) VALUES (CONCAT('round ', @round)), ('next');
DELETE FROM t WHERE id = LAST_INSERT_ID() + 1;
BEGIN; INSERT INTO t (v) VALUES ('never'); ROLLBACK;
INSERT INTO t (v) VALUES ('after a rollback');
