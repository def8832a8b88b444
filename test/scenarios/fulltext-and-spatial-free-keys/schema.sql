-- FULLTEXT, invisible and descending indexes are made after the rows.
CREATE TABLE t (id INT PRIMARY KEY, body TEXT, n INT, FULLTEXT words (body), KEY hid (n) INVISIBLE, KEY down (n DESC, id));
