-- Without a key a row is found by its bits: values that are equal to the server are not the same row.
CREATE TABLE t (
  f FLOAT, d DOUBLE, g FLOAT(7,2), n DECIMAL(10,3), c CHAR(5), v VARCHAR(20) CHARACTER SET latin1, w VARCHAR(20) CHARACTER SET ucs2,
  x BINARY(4), y VARBINARY(8), l LONGTEXT, o BLOB, e ENUM('a','b','') , s SET('p','q'), i BIT(9), j DATE, k DATETIME(6), m TIME(6),
  p TIMESTAMP NULL, q YEAR, z INT(6) ZEROFILL, u INT AS (z * 2) VIRTUAL
);
CREATE TABLE documents (doc JSON, note VARCHAR(10));
-- Beside a document the same rows are found by statements, and not by the bytes of row events.
CREATE TABLE spelled LIKE t;
ALTER TABLE spelled ADD doc JSON;
