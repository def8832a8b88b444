-- An XA transaction that commits in one phase is an ordinary one.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
