CREATE DATABASE IF NOT EXISTS xa_elsewhere; CREATE TABLE IF NOT EXISTS xa_elsewhere.o (v INT PRIMARY KEY);
XA START 'elsewhere'; REPLACE INTO xa_elsewhere.o VALUES (1); XA END 'elsewhere'; XA PREPARE 'elsewhere';
XA COMMIT 'elsewhere'; UPDATE t SET v = v + 1 WHERE id = 1;
