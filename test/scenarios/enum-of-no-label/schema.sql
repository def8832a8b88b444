-- ENUM value 0, which no label has, stays 0.
CREATE TABLE t (id INT PRIMARY KEY, e ENUM('', 'a', '0'));
