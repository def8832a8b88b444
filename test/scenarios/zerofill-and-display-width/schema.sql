-- Widths and ZEROFILL are part of the definition, and not of the value.
CREATE TABLE t (id INT(8) ZEROFILL PRIMARY KEY, b TINYINT(1), y BIGINT(20) UNSIGNED ZEROFILL, f FLOAT(7,2), d DOUBLE(20,5));
