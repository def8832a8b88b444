-- Zero dates, months and days of 0, and the 31st of February stay what they are.
SET sql_mode = '';
CREATE TABLE t (id INT PRIMARY KEY, a DATE, b DATETIME(6), c TIMESTAMP(3) NULL);
