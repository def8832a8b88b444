UPDATE t SET u = u ^ 1, s = -s - 1, su = su ^ 1, ti = -ti - 1, tu = tu ^ 1, i = -i - 1, iu = iu ^ 1;
INSERT INTO t VALUES (-100 - @round, 16777215, -1, 65535, -1, 255, -1, 4294967295);
