-- What the text of JSON does not say, the copy brings all the same: DECIMAL, times, and whether an integer has a sign.
CREATE TABLE t (id INT PRIMARY KEY, n INT, v JSON, other JSON, text_of VARCHAR(40) CHARACTER SET ucs2, en ENUM('1', '2', 'x'), b BIT(9), ts TIMESTAMP(3) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(3), kind VARCHAR(20) AS (JSON_TYPE(v)) STORED);
