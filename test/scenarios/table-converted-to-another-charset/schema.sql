-- A new character set changes bytes without a row event.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10)) DEFAULT CHARSET latin1;
