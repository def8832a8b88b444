-- Labels with commas, quotes and numbers in them are told by number.
CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a,b', 'it''s', '1', '2', '値', 'ž') CHARACTER SET utf8mb4, f ENUM('10', '9', '8') CHARACTER SET latin1);
