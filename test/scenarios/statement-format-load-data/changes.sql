SET SESSION binlog_format = STATEMENT;
INSERT INTO t SELECT id, v FROM outside;
