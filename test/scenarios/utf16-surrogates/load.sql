INSERT INTO t VALUES (1, '🦊a', '🦊a', '🦊a'), (2, '中', '中', '中'), (3, '', '', '');
