-- Characters of four bytes, of none width and joined ones keep their bytes.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40), w TEXT) DEFAULT CHARSET utf8mb4;
