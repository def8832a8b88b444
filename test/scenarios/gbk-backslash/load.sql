INSERT INTO t VALUES (1, _gbk x'BF5C', _gbk x'815C27'), (2, _gbk x'BFB15C', _gbk x'D6D0CEC4'), (3, '中文', '''');
