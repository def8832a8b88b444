-- Tables whose names differ only in case are two tables.
CREATE TABLE Item (id INT PRIMARY KEY, Name VARCHAR(10));
CREATE TABLE item (ID INT PRIMARY KEY, name VARCHAR(10));
