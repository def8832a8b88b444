-- An id of 0 is a 0 and not the next number.
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
