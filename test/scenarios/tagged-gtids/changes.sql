SET gtid_next = 'AUTOMATIC:nightly'; UPDATE t SET v = v + 1;
SET gtid_next = 'AUTOMATIC:other_tag'; INSERT INTO t VALUES (10 + @round, 0);
SET gtid_next = 'AUTOMATIC'; UPDATE t SET v = v + 1;
