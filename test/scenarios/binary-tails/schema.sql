-- BINARY(n) comes without its trailing zero bytes from the log and is padded again.
CREATE TABLE t (id INT PRIMARY KEY, b BINARY(4), c BINARY(0), v VARBINARY(4));
