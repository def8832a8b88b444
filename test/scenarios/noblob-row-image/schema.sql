-- An image without its unchanged blobs is not whole.
CREATE TABLE t (id INT PRIMARY KEY, v INT, b BLOB);
