-- Every bit of a DOUBLE arrives, though most need 17 digits.
CREATE TABLE t (id INT PRIMARY KEY, d DOUBLE);
