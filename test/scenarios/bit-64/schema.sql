-- BIT(64) with its top bit set is no signed number.
CREATE TABLE t (id INT PRIMARY KEY, b BIT(64), c BIT(1), d BIT(9));
