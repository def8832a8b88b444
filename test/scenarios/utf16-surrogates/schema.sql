-- A pair of utf16 surrogates is one character.
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40) CHARACTER SET utf16, w VARCHAR(40) CHARACTER SET utf16le, x VARCHAR(40) CHARACTER SET utf32);
