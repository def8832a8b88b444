-- ENUM in the primary key orders by number, not by label.
CREATE TABLE t (e ENUM('z', 'm', 'a') NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (e, n));
