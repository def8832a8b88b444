INSERT INTO t VALUES (1, 'abc one', 'xy one'), (2, 'abd two', 'xz two'), (3, 'ab', 'x');
