-- An image of the changed columns alone cannot be told from a whole one later.
CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT);
