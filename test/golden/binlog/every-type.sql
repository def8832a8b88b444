-- Every column type with its extremes and NULLs, written, updated and deleted.
SET time_zone = '+00:00', sql_mode = '';
CREATE DATABASE IF NOT EXISTS golden DEFAULT CHARACTER SET utf8mb4;
DROP TABLE IF EXISTS golden.numbers, golden.times, golden.texts, golden.others, golden.places, golden.parted, golden.keyless;

CREATE TABLE golden.numbers (
  id INT PRIMARY KEY,
  ti TINYINT, tu TINYINT UNSIGNED, si SMALLINT, su SMALLINT UNSIGNED, mi MEDIUMINT, mu MEDIUMINT UNSIGNED,
  ii INT, iu INT UNSIGNED, bi BIGINT, bu BIGINT UNSIGNED,
  fl FLOAT, db DOUBLE, fu FLOAT UNSIGNED, ye YEAR,
  d1 DECIMAL(65,30), d2 DECIMAL(5,2), d3 DECIMAL(9,0), d4 DECIMAL(4,4), d5 DECIMAL(18,9), du DECIMAL(10,3) UNSIGNED,
  b1 BIT(1), b9 BIT(9), b64 BIT(64)
);
INSERT INTO golden.numbers VALUES
  (1, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0,
   -3.4028234663852886e38, -1.7976931348623157e308, 0, 1901,
   -99999999999999999999999999999999999.999999999999999999999999999999, -999.99, -999999999, -0.9999,
   -999999999.999999999, 0, b'0', b'0', b'0'),
  (2, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615,
   3.4028234663852886e38, 1.7976931348623157e308, 1.5, 2155,
   99999999999999999999999999999999999.999999999999999999999999999999, 999.99, 999999999, 0.9999,
   999999999.999999999, 9999999.999, b'1', b'111111111', 0xFFFFFFFFFFFFFFFE),
  (3, -1, 128, -1, 32768, -1, 8388608, -1, 2147483648, -1, 9223372036854775808,
   1.1, 0.1, 16777216, 0, -0.000000000000000000000000000001, -0.01, -1, -0.0001, -0.000000001, 0.001,
   b'1', b'100000001', 0x0102030405060708),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL),
  (5, 0, 1, 0, 1, 0, 1, 0, 1, 9007199254740993, 9007199254740993, -0e0, 5e-324, 1e-45, 2000,
   12345678901234567890123456789012345.123456789012345678901234567891, 0, 0, 0, 100000000.000000001, 1,
   b'0', b'10', 0x8000000000000000);
UPDATE golden.numbers SET tu = 7, bi = NULL, d2 = 1.5, db = -0e0 WHERE id = 1;
UPDATE golden.numbers SET ti = 1, fl = 2.5 WHERE id = 4;
UPDATE golden.numbers SET id = 50 WHERE id = 5;
DELETE FROM golden.numbers WHERE id IN (2, 4);

CREATE TABLE golden.times (
  id INT PRIMARY KEY,
  da DATE, tm TIME, t1 TIME(1), t2 TIME(2), t3 TIME(3), t4 TIME(4), t5 TIME(5), t6 TIME(6),
  dt DATETIME, dt1 DATETIME(1), dt3 DATETIME(3), dt6 DATETIME(6),
  ts TIMESTAMP NULL, ts2 TIMESTAMP(2) NULL, ts5 TIMESTAMP(5) NULL, ts6 TIMESTAMP(6) NULL
);
INSERT INTO golden.times VALUES
  (1, '0000-00-00', '-838:59:59', '-00:00:00.1', '-00:00:00.01', '-00:00:00.001', '-00:00:00.0001', '-00:00:00.00001',
   '-00:00:00.000001', '0000-00-00 00:00:00', '1000-01-01 00:00:00.1', '1000-01-01 00:00:00.001',
   '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01', 0, '1970-01-01 00:00:01.00001', '1970-01-01 00:00:01.000001'),
  (2, '9999-12-31', '838:59:59', '838:59:58.9', '-12:34:56.78', '-12:34:56.789', '-12:34:56.7891', '-100:00:00.99999',
   '838:59:58.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.9', '9999-12-31 23:59:59.999',
   '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.99', '2038-01-19 03:14:07.99999',
   '2038-01-19 03:14:07.999999'),
  (3, '2024-00-00', '00:00:00', '00:00:00', '00:00:00.5', '-01:00:00', '-00:00:01', '12:00:00', '-00:01:00',
   '2024-00-10 01:02:03', '2024-02-29 12:00:00', '2024-02-29 12:00:00.5', '2024-02-29 12:00:00', 0,
   '2024-03-31 01:30:00.25', '2024-03-31 01:30:00', '2024-03-31 01:30:00.5'),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE golden.times SET da = '2000-01-01', t6 = NULL, ts = '2001-02-03 04:05:06' WHERE id = 1;
DELETE FROM golden.times WHERE id = 3;

CREATE TABLE golden.texts (
  k VARBINARY(8), id INT, PRIMARY KEY (k, id),
  c0 CHAR(4), c1 CHAR(255), c2 CHAR(63) CHARACTER SET latin1, cb BINARY(4), c9 BINARY(200),
  v1 VARCHAR(10) CHARACTER SET latin1, v2 VARCHAR(300), v3 VARCHAR(60) CHARACTER SET utf8mb3, v4 VARCHAR(20) CHARACTER SET utf16,
  vb VARBINARY(300), tt TINYTEXT, tx TEXT CHARACTER SET latin1, mt MEDIUMTEXT, lt LONGTEXT,
  tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB
);
INSERT INTO golden.texts VALUES
  (x'00', 1, 'a', REPEAT('ž', 255), 'é', x'41002000', REPEAT(x'FE', 200), 'é  ', REPEAT('𝄞', 300), 'ěščř', 'a中',
   REPEAT(x'00FF27', 100), 'tiny', REPEAT('t', 3000), REPEAT('ž', 4000), 'long', x'00', REPEAT(x'0009270A5C', 100),
   REPEAT(x'00FF27', 1000), x'0D0A1A'),
  (x'', 2, '', '', '', x'00000000', '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
  (x'FF27', 3, 'quo''', 'back\\slash', '100%', x'FFFFFFFF', x'00', 'tab\t', 'nul\0', 'nl\n', 'x', x'5C', 'cr\r', '"', '\Z',
   '`', x'27', x'22', x'0A', x'FFFE'),
  (x'01', 4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE golden.texts SET c0 = 'ž', bl = NULL, lt = '' WHERE id = 1;
UPDATE golden.texts SET tx = 'x', mb = x'01' WHERE id = 4;
UPDATE golden.texts SET k = x'02' WHERE id = 2;
DELETE FROM golden.texts WHERE id IN (2, 3);

CREATE TABLE golden.others (
  id INT PRIMARY KEY, gv INT AS (id * 2) VIRTUAL, gs INT AS (id * 3) STORED, hid INT INVISIBLE DEFAULT 7,
  en ENUM('a', 'b,c', '''', 'ž') CHARACTER SET utf8mb4, e2 ENUM('1', '2') CHARACTER SET latin1 COLLATE latin1_bin,
  se SET('x', 'y', 'z'), s9 SET('m0','m1','m2','m3','m4','m5','m6','m7','m8'),
  js JSON, ve VECTOR(3)
);
INSERT INTO golden.others (id, en, e2, se, s9, js, ve) VALUES
  (1, 'a', '1', '', 'm0', '{"a": 1, "b": [1, 2, 3], "c": {"d": null}}', TO_VECTOR('[1,2.5,-3e-20]')),
  (2, '''', '2', 'x,y,z', 'm0,m8', '"str"', TO_VECTOR('[0]')),
  (3, 0, NULL, 'y', '', 'null', NULL),
  (4, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE golden.others SET en = 'ž', se = 'z', hid = NULL WHERE id = 2;
UPDATE golden.others SET js = JSON_SET(js, '$.a', 2) WHERE id = 1;
DELETE FROM golden.others WHERE id = 3;

-- mysqlbinlog cannot show geometries: it leaves out the rest of such an event, so here these columns come last.
CREATE TABLE golden.places (id INT PRIMARY KEY, ge GEOMETRY, po POINT SRID 4326);
INSERT INTO golden.places VALUES
  (1, ST_GeomFromText('LINESTRING(0 0,1 1,2 3)'), ST_GeomFromText('POINT(1 2)', 4326)),
  (2, ST_GeomFromText('POINT(-1.5 1e300)'), NULL), (3, NULL, NULL);
CREATE TABLE golden.parted (id INT PRIMARY KEY, v INT, KEY (v)) PARTITION BY HASH (id) PARTITIONS 3;
INSERT INTO golden.parted VALUES (1, 1), (2, 2);
UPDATE golden.parted SET id = 5 WHERE id = 1;
DELETE FROM golden.parted WHERE id = 2;
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE golden.keyless (v VARCHAR(10), w TEXT, UNIQUE KEY (w(3)));
SET SESSION sql_generate_invisible_primary_key = OFF;
INSERT INTO golden.keyless VALUES ('a', 'abc');
INSERT INTO golden.keyless VALUES ();
