-- The server shows definitions in utf8mb3: the label of the copy would be a question mark.
CREATE TABLE t (id INT PRIMARY KEY, mood ENUM('fine', '😀')) CHARSET utf8mb4;
