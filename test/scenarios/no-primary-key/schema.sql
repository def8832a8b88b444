-- Rows that nothing tells apart are counted: a change of one of three is a change of one.
CREATE TABLE t (a INT, b VARCHAR(20), KEY (a));
