INSERT INTO `a``b"c'd` VALUES (10 + @round, 0, 10 + @round, '?', 0, 0);
UPDATE `a``b"c'd` SET `select` = `select` + 1, `%s ? ;--` = `i``d`, `c"d` = ';' WHERE `i``d` = 1;
UPDATE `order by` SET `group` = `group` + 1;
