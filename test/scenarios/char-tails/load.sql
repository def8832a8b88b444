INSERT INTO t VALUES (1, 'a  ', 'a  ', 'b ', 'c '), (2, '', '', '', ''), (3, ' x', ' x ', ' x', ' x');
