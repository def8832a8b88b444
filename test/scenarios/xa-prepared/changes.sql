XA START 'trap'; UPDATE t SET v = 2; XA END 'trap'; XA PREPARE 'trap'; XA ROLLBACK 'trap';
