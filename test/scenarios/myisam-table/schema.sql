-- A table of an engine without transactions is refused.
CREATE TABLE t (id INT PRIMARY KEY) ENGINE = MyISAM;
