-- An image without blobs is whole where the table has none.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), w INT);
