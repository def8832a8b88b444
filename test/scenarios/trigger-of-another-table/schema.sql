-- A trigger of a table that stays writes to one that moves.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
CREATE TABLE outside (id INT PRIMARY KEY);
CREATE TRIGGER audit AFTER INSERT ON outside FOR EACH ROW INSERT INTO t VALUES (NEW.id, 0);
