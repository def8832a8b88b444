XA START 'one-phase'; UPDATE t SET v = v + 1; INSERT INTO t VALUES (10 + @round, 0); XA END 'one-phase'; XA COMMIT 'one-phase' ONE PHASE;
XA START 'undone'; DELETE FROM t; XA END 'undone'; XA ROLLBACK 'undone';
