-- One transaction, and one statement, across many tables.
CREATE TABLE a (id INT PRIMARY KEY, v INT);
CREATE TABLE b LIKE a;
CREATE TABLE c LIKE a;
CREATE TABLE d LIKE a;
