RENAME TABLE t TO t_old, outside TO t;
