INSERT INTO t VALUES (1, _sjis x'835C955C'), (2, _sjis x'5C'), (3, _sjis x'B1B2');
