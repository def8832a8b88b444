-- An hour that comes twice in the application's zone is two moments.
CREATE TABLE t (id INT PRIMARY KEY, a TIMESTAMP(3) NULL, b TIMESTAMP NULL);
