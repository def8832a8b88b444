-- Names of tables and columns have quotes, spaces, percent signs and words of SQL in them.
CREATE TABLE `a``b"c'd` (`i``d` INT PRIMARY KEY, `select` INT, `a'b` INT, `c"d` VARCHAR(10), `%s ? ;--` INT, ` lead` INT, UNIQUE `k``e"y` (`a'b`));
CREATE TABLE `order by` (`key` INT PRIMARY KEY, `group` INT);
