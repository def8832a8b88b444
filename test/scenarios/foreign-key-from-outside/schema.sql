-- A child that stays would lose its parent.
CREATE TABLE t (id INT PRIMARY KEY);
CREATE TABLE outside (id INT PRIMARY KEY, p INT, CONSTRAINT leads_in FOREIGN KEY (p) REFERENCES t (id));
