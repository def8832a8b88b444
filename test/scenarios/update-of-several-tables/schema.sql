-- One statement updates, another deletes from, two tables.
CREATE TABLE a (id INT PRIMARY KEY, v INT);
CREATE TABLE b (id INT PRIMARY KEY, a INT, v INT);
