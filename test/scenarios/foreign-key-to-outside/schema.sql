-- A parent that stays would not know its children.
CREATE TABLE outside (id INT PRIMARY KEY);
CREATE TABLE t (id INT PRIMARY KEY, p INT, CONSTRAINT leads_out FOREIGN KEY (p) REFERENCES outside (id) ON DELETE CASCADE);
