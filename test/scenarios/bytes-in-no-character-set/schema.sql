-- A blob with bytes that no text has passes as it is.
CREATE TABLE t (id INT PRIMARY KEY, v VARBINARY(300), b BLOB);
