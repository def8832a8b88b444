-- A scheduled event would go on writing to the old home.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO UPDATE t SET v = v + 1;
