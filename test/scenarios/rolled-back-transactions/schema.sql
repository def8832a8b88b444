-- What is rolled back leaves nothing behind but its numbers.
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT UNIQUE);
