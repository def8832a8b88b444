-- ON DUPLICATE KEY UPDATE updates one row and inserts another in one statement.
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(10) UNIQUE, n INT NOT NULL DEFAULT 0);
