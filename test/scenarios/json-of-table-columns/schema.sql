-- A document made from columns has the types of these: binary strings and BIT are no text, YEAR and unsigned numbers no INT.
CREATE TABLE c (id INT PRIMARY KEY, de DECIMAL(40,2), b BINARY(3), vb VARBINARY(9), tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB, bi BIT(9), bx BIT(64), y YEAR, g POINT, e ENUM('a', 'b'), s SET('x', 'y'), ts TIMESTAMP(3) NULL, iu INT UNSIGNED, bs BIGINT, f FLOAT, d DOUBLE);
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
