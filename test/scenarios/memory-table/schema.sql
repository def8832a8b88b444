-- A table that a restart empties is refused.
CREATE TABLE t (id INT PRIMARY KEY) ENGINE = MEMORY;
