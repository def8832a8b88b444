INSERT INTO `tëst-$таблица` VALUES (1, 'ž'), (2, '値');
