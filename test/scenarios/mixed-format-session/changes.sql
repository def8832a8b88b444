SET SESSION binlog_format = MIXED;
UPDATE t SET v = v + 1;
