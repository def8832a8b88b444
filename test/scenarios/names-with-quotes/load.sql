INSERT INTO `a``b"c'd` VALUES (1, 1, 1, 'x', 1, 1), (2, 2, 2, 'y', 2, 2);
INSERT INTO `order by` VALUES (1, 1);
