-- Ids given on one home are not given again on the other.
CREATE TABLE t (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20));
