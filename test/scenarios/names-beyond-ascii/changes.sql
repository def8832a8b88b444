INSERT INTO `tëst-$таблица` VALUES (10 + @round, 'ю');
UPDATE `tëst-$таблица` SET `値` = CONCAT('値', @round) WHERE `clé` = 1;
